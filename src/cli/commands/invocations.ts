import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { InvocationInfo } from "../../client/types.js";
import {
  addCommand,
  addNodeCommand,
  onNode,
  wholeNumber,
  type Cli,
  type NodeContext,
} from "../command.js";
import { write } from "../io.js";
import { ago, fields, jsonLine, table } from "../output.js";
import { printResponse } from "./invoke.js";

interface ListOptions {
  readonly function?: string;
  readonly state?: InvocationInfo["state"];
  readonly limit: string;
}

interface ShowOptions {
  readonly result?: boolean;
  readonly wait: string;
}

/** `enoki invocations ls|show|replay|rm` */
export function addInvocationsCommand(program: Command, cli: Cli): void {
  const invocations = addCommand(program, {
    usage: "invocations",
    description: "look after asynchronous invocations and dead letters",
    examples: ["enoki invocations ls --state dead"],
  });
  addList(invocations, cli);
  addShow(invocations, cli);
  addNodeCommand(invocations, {
    usage: "replay <id>",
    description: "queue a dead letter again",
    examples: ["enoki invocations replay 0f3c5a7e9b1d2f4a6c8e0b2d4f6a8c0e"],
  }).action(
    onNode(cli, async ({ client, io, json }, id: string) => {
      const info = await client.invocations.replay(id);
      await write(io.stdout, json ? jsonLine(info) : `${id} is ${info.state}\n`);
    }),
  );
  addNodeCommand(invocations, {
    usage: "rm <id>",
    description: "forget a dead letter",
    examples: ["enoki invocations rm 0f3c5a7e9b1d2f4a6c8e0b2d4f6a8c0e"],
  }).action(
    onNode(cli, async ({ client, io, json }, id: string) => {
      await client.invocations.remove(id);
      await write(io.stdout, json ? jsonLine({ removed: id }) : `removed ${id}\n`);
    }),
  );
}

function addList(invocations: Command, cli: Cli): void {
  addNodeCommand(invocations, {
    usage: "ls",
    description: "list asynchronous invocations",
    examples: ["enoki invocations ls --function hello --state dead"],
  })
    .option("--function <name>", "only those of one function")
    .option("--state <state>", "only those that are queued, running, done or dead")
    .option("--limit <number>", "how many at most", "100")
    .action(
      onNode<ListOptions>(cli, async ({ client, io, json, options }) => {
        const { function: name, state } = options;
        const limit = wholeNumber("--limit", options.limit);
        const all = await client.invocations.list({
          ...(name !== undefined && { function: name }),
          ...(state !== undefined && { state }),
          limit,
        });
        if (json) return write(io.stdout, jsonLine(all));
        const rows = all.map((info) => [
          info.id,
          info.function,
          info.state,
          String(info.tries),
          ago(info.createdAt, Date.now()),
          info.status?.toString() ?? info.lastError?.code ?? "-",
        ]);
        await write(io.stdout, table(["ID", "FUNCTION", "STATE", "TRIES", "AGE", "RESULT"], rows));
      }),
    );
}

function addShow(invocations: Command, cli: Cli): void {
  addNodeCommand(invocations, {
    usage: "show <id>",
    description: "show an asynchronous invocation, or with --result what it returned",
    examples: ["enoki invocations show 0f3c5a7e9b1d2f4a6c8e0b2d4f6a8c0e --result --wait 30s"],
  })
    .option("--result", "print what the function returned, as `enoki invoke` does")
    .option("--wait <duration>", "with --result: how long to wait for it", "0s")
    .action(
      onNode<ShowOptions>(cli, async (context, id: string) => {
        const { client, io, json, options } = context;
        if (options.result) return printResult(context, id);
        const info = await client.invocations.get(id);
        await write(io.stdout, json ? jsonLine(info) : describe(info));
      }),
    );
}

async function printResult(context: NodeContext<ShowOptions>, id: string): Promise<void> {
  const response = await context.client.result(id, { wait: context.options.wait });
  if (response === undefined) {
    throw new EnokiError("ENOKI_TIMEOUT", `${id} has no result yet; --wait 30s waits for it`);
  }
  await printResponse(context, response);
}

function describe(info: InvocationInfo): string {
  return fields([
    ["id", info.id],
    ["function", info.function],
    ["state", info.state],
    ["tries", String(info.tries)],
    ["created", info.createdAt],
    ["finished", info.finishedAt],
    ["status", info.status?.toString()],
    ["last error", info.lastError && `${info.lastError.code}: ${info.lastError.message}`],
  ]);
}
