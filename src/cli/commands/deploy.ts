import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { FunctionConfig } from "../../client/types.js";
import { addNodeCommand, onNode, repeatable, wholeNumber, type Cli } from "../command.js";
import { deploy, nameFromPath } from "../deploying.js";
import { write } from "../io.js";
import { requireReady, waitForNodes } from "../node-rows.js";
import { jsonLine } from "../output.js";

/** Flags of `deploy` that say how the function runs; `dev` takes them too. */
export interface FunctionOptions {
  readonly name?: string;
  readonly runtime?: string;
  readonly env?: readonly string[];
  readonly timeout?: string;
  readonly memory?: string;
  readonly cpu?: string;
  readonly maxInstances?: string;
  readonly concurrency?: string;
  readonly isolation?: string;
  readonly network?: string;
  readonly access?: string;
  readonly allowBuild?: boolean;
}

interface DeployOptions extends FunctionOptions {
  readonly to?: string;
  readonly data?: string;
  readonly wait?: string;
}

/** `enoki deploy` */
export function addDeployCommand(program: Command, cli: Cli): void {
  const command = addNodeCommand(program, {
    usage: "deploy",
    description: "deploy a function: a file, a folder or a zip",
    examples: [
      "enoki deploy hello.py",
      "enoki deploy ./sensor --name sensor --env UNIT=celsius --memory 128m",
      "enoki deploy ./sensor --to edge1,edge2 --wait 30s",
      "enoki deploy ./report --data at:cloud",
    ],
  }).argument("[path]", "where the code is", ".");
  addFunctionOptions(command)
    .option("--to <nodes>", "nodes that are to run it too: names, LABEL=VALUE or all, with commas")
    .option("--data <placement>", "where its data are to lie: replicate, or at:NODE")
    .option("--wait <duration>", "how long to wait for the nodes, such as 30s")
    .action(
      onNode<DeployOptions>(cli, async ({ client, io, json, options }, path: string) => {
        const name = options.name ?? nameFromPath(path);
        const config = toFunctionConfig(options);
        const wait = options.wait === undefined ? {} : { wait: options.wait };
        const to = options.to === undefined ? {} : { to: options.to };
        const data = options.data === undefined ? {} : { data: options.data };
        const deployed = await deploy(client, io, { path, name, config, ...wait, ...to, ...data });
        const info = await waitForNodes(client, io, deployed, options.wait);
        await write(io.stdout, json ? jsonLine(info) : `${info.url}\n`);
        requireReady(info);
        await write(io.stderr, `call it: enoki invoke ${info.name} [DATA]\n`);
      }),
    );
}

/** Adds the flags of {@link FunctionOptions}. */
export function addFunctionOptions(command: Command): Command {
  return command
    .option("--name <name>", "name of the function; else that of the file or folder")
    .option("--runtime <runtime>", "python, node or binary; else the entry file decides")
    .addOption(repeatable("--env <name=value>", "environment variable of the function; repeatable"))
    .option("--timeout <duration>", "longest call, such as 60s")
    .option("--memory <size>", "memory of an instance, such as 256m")
    .option("--cpu <cpus>", "CPUs of an instance, such as 0.5")
    .option("--max-instances <number>", "instances at once, at most")
    .option("--concurrency <number>", "calls at once per instance")
    .option("--isolation <kind>", "process or sandbox")
    .option("--network <access>", "in a sandbox: none or host")
    .option("--access <who>", "who may call it: public, or token; else as the node says")
    .option("--allow-build", "let pip build source distributions");
}

/** Brings flags into the form of the API; what was not said is left out, and the node checks values. */
export function toFunctionConfig(options: FunctionOptions): FunctionConfig {
  const { runtime, env, timeout, memory, cpu, isolation, network, access, allowBuild } = options;
  const { maxInstances, concurrency } = options;
  const config = {
    runtime,
    env: env === undefined ? undefined : Object.fromEntries(env.map(parseVariable)),
    timeout,
    memory,
    cpu,
    maxInstances:
      maxInstances === undefined ? undefined : wholeNumber("--max-instances", maxInstances),
    concurrency: concurrency === undefined ? undefined : wholeNumber("--concurrency", concurrency),
    isolation,
    network,
    access,
    allowBuild,
  };
  const said = Object.entries(config).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as FunctionConfig;
}

function parseVariable(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new EnokiError("ENOKI_INVALID_INPUT", `--env: ${JSON.stringify(text)} is no NAME=VALUE`);
}
