import type { Command } from "commander";

import { addCommand, type Cli } from "../command.js";
import { addKvReadCommands } from "./kv-read.js";
import { addKvTransferCommands } from "./kv-transfer.js";
import { addKvWriteCommands } from "./kv-write.js";

/** `enoki kv get|set|incr|rm|ls|watch|explain|export|import` */
export function addKvCommand(program: Command, cli: Cli): void {
  const kv = addCommand(program, {
    usage: "kv",
    description: "read and write the data of functions",
    examples: ["enoki kv ls hello"],
  });
  addKvReadCommands(kv, cli);
  addKvWriteCommands(kv, cli);
  addKvTransferCommands(kv, cli);
}
