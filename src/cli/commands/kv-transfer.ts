import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { ExportLine } from "../../client/transfer.js";
import { addNodeCommand, onNode, type Cli } from "../command.js";
import { write } from "../io.js";
import { jsonLine } from "../output.js";

/** `enoki kv export|import` */
export function addKvTransferCommands(kv: Command, cli: Cli): void {
  addExport(kv, cli);
  addImport(kv, cli);
}

function addExport(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "export <keygroup>",
    description: "print all keys as lines of JSON, with types and expiry",
    examples: ["enoki kv export hello > hello.jsonl"],
  }).action(
    onNode(cli, async ({ client, io }, keygroup: string) => {
      for await (const line of client.kv(keygroup).export()) await write(io.stdout, jsonLine(line));
    }),
  );
}

function addImport(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "import <keygroup> [file]",
    description: "write the keys of an export; without a file from standard input",
    examples: ["enoki kv import hello hello.jsonl", "enoki kv export a | enoki kv import b"],
  }).action(
    onNode(cli, async ({ client, io, json }, keygroup: string, file?: string) => {
      const isStdin = file === undefined || file === "-";
      const source = isStdin ? io.stdin : createReadStream(file);
      const imported = await client.kv(keygroup).import(readLines(source));
      await write(io.stdout, json ? jsonLine({ imported }) : `imported ${imported}\n`);
    }),
  );
}

async function* readLines(source: Readable): AsyncGenerator<ExportLine> {
  // why: readline hides errors of its input, so they are kept and thrown at the end.
  let failure: NodeJS.ErrnoException | undefined;
  const lines = createInterface({ input: source, crlfDelay: Infinity });
  source.once("error", (error) => {
    failure = error;
    lines.close();
  });
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() !== "") yield parseLine(line, number);
  }
  if (failure !== undefined) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `cannot read the file (${failure.code})`);
  }
}

function parseLine(line: string, number: number): ExportLine {
  try {
    const parsed = JSON.parse(line) as ExportLine | null;
    if (typeof parsed?.key === "string") return parsed;
  } catch {
    // Said below, with the number of the line.
  }
  throw new EnokiError("ENOKI_INVALID_INPUT", `line ${number} is no line of an export`);
}
