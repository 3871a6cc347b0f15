import type { Command } from "commander";

import type { LogEntry } from "../../client/types.js";
import { addNodeCommand, onNode, wholeNumber, type Cli } from "../command.js";
import { untilSignal, write } from "../io.js";
import { jsonLine } from "../output.js";

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail: string;
}

/** `enoki logs` */
export function addLogsCommand(program: Command, cli: Cli): void {
  addNodeCommand(program, {
    usage: "logs",
    description: "show what a function wrote",
    examples: ["enoki logs hello -f", "enoki logs hello --tail 20 --json"],
  })
    .argument("<name>", "the function")
    .option("-f, --follow", "go on with each new line until Ctrl-C")
    .option("--tail <lines>", "how many of the last lines to begin with", "100")
    .action(
      onNode<LogsOptions>(cli, async ({ client, io, json, options }, name: string) => {
        const { signal, release } = untilSignal(io);
        const tail = wholeNumber("--tail", options.tail);
        const follow = options.follow === true;
        try {
          for await (const entry of client.functions.logs(name, { tail, follow, signal })) {
            await write(io.stdout, json ? jsonLine(entry) : formatLogEntry(entry));
          }
        } finally {
          release();
        }
      }),
    );
}

/** One line of a log for people: time of day, stream, invocation, text. */
export function formatLogEntry({ at, stream, invocation, text }: LogEntry): string {
  const time = at.slice(11, 23);
  return `${time} ${stream.padEnd(8)} ${(invocation ?? "").slice(0, 8).padEnd(8)} ${text}\n`;
}
