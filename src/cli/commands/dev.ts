import { stat } from "node:fs/promises";
import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { Client } from "../../client/client.js";
import { addNodeCommand, onNode, type Cli } from "../command.js";
import { deploy, nameFromPath, type Deployment } from "../deploying.js";
import { renderError } from "../exit.js";
import { untilSignal, write, type Io } from "../io.js";
import { watchSource } from "../source-watch.js";
import { addFunctionOptions, secretsOf, toFunctionConfig, type FunctionOptions } from "./deploy.js";
import { formatLogEntry } from "./logs.js";

/** Pause before the log is followed again, after the node was away. */
const RETRY_MS = 1000;

/** `enoki dev` */
export function addDevCommand(program: Command, cli: Cli): void {
  const command = addNodeCommand(program, {
    usage: "dev",
    description: "deploy, deploy again at each save, and show the log; Ctrl-C ends",
    examples: ["enoki dev ./hello"],
    isJsonTaken: true,
  }).argument("[path]", "where the code is", ".");
  addFunctionOptions(command).action(
    onNode<FunctionOptions>(cli, async ({ client, io, options }, path: string) => {
      const name = options.name ?? nameFromPath(path);
      const secrets = await secretsOf(io, options);
      const deployment = { path, name, config: toFunctionConfig(options), secrets };
      await stat(path).catch(() => {
        throw new EnokiError("ENOKI_INVALID_INPUT", `there is nothing at ${path}`);
      });
      // why: without a node nothing below could ever succeed, so this one failure ends the run.
      await client.node();
      await develop(client, io, deployment);
    }),
  );
}

async function develop(client: Client, io: Io, deployment: Deployment): Promise<void> {
  const { signal, release } = untilSignal(io);
  try {
    const logs = new LogFollower(client, io, deployment.name, signal);
    for await (const changed of watchSource(deployment.path, signal)) {
      if (changed !== undefined) await write(io.stderr, `\n${changed} changed\n`);
      try {
        const info = await deploy(client, io, deployment);
        if (changed === undefined) await write(io.stdout, `${info.url}\n`);
        logs.start();
      } catch (error) {
        await write(io.stderr, renderError(error));
      }
    }
    await logs.ended;
  } finally {
    release();
  }
}

/** Shows the log from the first successful deploy on. */
class LogFollower {
  readonly #follow: () => Promise<void>;
  ended: Promise<void> = Promise.resolve();
  #isStarted = false;

  constructor(client: Client, io: Io, name: string, signal: AbortSignal) {
    this.#follow = () => follow(client, io, name, signal);
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.ended = this.#follow();
  }
}

async function follow(client: Client, io: Io, name: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const entries = client.functions.logs(name, { tail: 0, follow: true, signal });
      for await (const entry of entries) await write(io.stdout, formatLogEntry(entry));
    } catch {
      // The next deploy says what is wrong; the log goes on once the node is back.
    }
    await pause(signal);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, RETRY_MS);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
