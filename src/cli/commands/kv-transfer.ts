import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import { readLines } from "../../client/json-lines.js";
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
    seesData: true,
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
    seesData: true,
  }).action(
    onNode(cli, async ({ client, io, json }, keygroup: string, file?: string) => {
      const isStdin = file === undefined || file === "-";
      const source = isStdin ? io.stdin : createReadStream(file);
      const imported = await client.kv(keygroup).import(readExport(source));
      await write(io.stdout, json ? jsonLine({ imported }) : `imported ${imported}\n`);
    }),
  );
}

async function* readExport(source: Readable): AsyncGenerator<ExportLine> {
  let number = 0;
  try {
    for await (const line of readLines(source)) {
      number += 1;
      if (line.trim() !== "") yield parseLine(line, number);
    }
  } catch (error) {
    if (error instanceof EnokiError) throw error;
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new EnokiError("ENOKI_INVALID_INPUT", `cannot read the export (${reason})`);
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
