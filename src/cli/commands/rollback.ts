import type { Command } from "commander";

import { addNodeCommand, onNode, wholeNumber, type Cli } from "../command.js";
import { write } from "../io.js";
import { jsonLine } from "../output.js";

/** `enoki rollback` */
export function addRollbackCommand(program: Command, cli: Cli): void {
  addNodeCommand(program, {
    usage: "rollback",
    description: "let an older revision of a function serve again",
    examples: ["enoki rollback hello", "enoki rollback hello 3"],
  })
    .argument("<name>", "the function")
    .argument("[revision]", "its revision; without it the previous one")
    .action(
      onNode(cli, async ({ client, io, json }, name: string, revision?: string) => {
        const number = revision === undefined ? undefined : wholeNumber("REVISION", revision);
        const info = await client.functions.rollback(name, number);
        const origin = number === undefined ? "the previous one" : `revision ${number}`;
        const line = `${name} serves revision ${info.revision}, a copy of ${origin}\n`;
        await write(io.stdout, json ? jsonLine(info) : line);
      }),
    );
}
