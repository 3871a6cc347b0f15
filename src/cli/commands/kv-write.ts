import { readFile } from "node:fs/promises";
import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { ClientSetOptions } from "../../client/keygroup.js";
import type { Json } from "../../guest/types.js";
import { addNodeCommand, onNode, type Cli } from "../command.js";
import { readAll, write, type Io } from "../io.js";
import { jsonLine } from "../output.js";

interface SetOptions {
  readonly json?: boolean;
  readonly bytes?: boolean;
  readonly ttl?: string;
  readonly ifVersion?: string;
  readonly ifAbsent?: boolean;
}

/** `enoki kv set|incr|rm` */
export function addKvWriteCommands(kv: Command, cli: Cli): void {
  addSet(kv, cli);
  addIncrement(kv, cli);
  addRemove(kv, cli);
}

function addSet(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "set <keygroup> <key> <value>",
    description: "store a value and print its version; - reads standard input, @file a file",
    examples: [
      "enoki kv set hello greeting 'Good morning'",
      `enoki kv set hello limits '{"max":5}' --json --ttl 1h`,
      "enoki kv set hello photo @photo.png --bytes",
    ],
    seesData: true,
    isJsonTaken: true,
  })
    .option("--json", "the value is JSON")
    .option("--bytes", "the value is bytes, not text")
    .option("--ttl <duration>", "it expires after this time, such as 10m")
    .option("--if-version <version>", "only if the key still has this version")
    .option("--if-absent", "only if the key is missing")
    .action(
      onNode<SetOptions>(
        cli,
        async ({ client, io, options }, keygroup: string, key: string, given: string) => {
          const value = toValue(await readValue(io, given), options);
          const version = await client.kv(keygroup).set(key, value, toSetOptions(options));
          await write(io.stdout, `${version}\n`);
        },
      ),
    );
}

function addIncrement(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "incr <keygroup> <key> [n]",
    description: "add to a counter, 1 unless said, and print its new value",
    examples: ["enoki kv incr hello visits", "enoki kv incr hello visits 10"],
    seesData: true,
  }).action(
    onNode(cli, async ({ client, io, json }, keygroup: string, key: string, by?: string) => {
      const amount = by === undefined || by.trim() === "" ? 1 : Number(by);
      if (!Number.isFinite(amount)) {
        throw new EnokiError("ENOKI_INVALID_INPUT", `N: ${JSON.stringify(by)} is no number`);
      }
      const value = await client.kv(keygroup).increment(key, amount);
      await write(io.stdout, json ? jsonLine({ key, value }) : `${value}\n`);
    }),
  );
}

function addRemove(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "rm <keygroup> <key>",
    description: "delete a key; a missing one is no error",
    examples: ["enoki kv rm hello greeting"],
    seesData: true,
  })
    .option("--if-version <version>", "only if the key still has this version")
    .action(
      onNode<{ readonly ifVersion?: string }>(
        cli,
        async ({ client, io, json, options }, keygroup: string, key: string) => {
          const { ifVersion } = options;
          const conditions = ifVersion === undefined ? {} : { ifVersion };
          const existed = await client.kv(keygroup).delete(key, conditions);
          const line = existed ? "deleted\n" : "there was none\n";
          await write(io.stdout, json ? jsonLine({ key, existed }) : line);
        },
      ),
    );
}

async function readValue(io: Io, given: string): Promise<string | Buffer> {
  if (given === "-") return await readAll(io.stdin);
  if (!given.startsWith("@")) return given;
  return await readFile(given.slice(1)).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code ?? error.message;
    throw new EnokiError("ENOKI_INVALID_INPUT", `cannot read ${given.slice(1)} (${reason})`);
  });
}

function toValue(given: string | Buffer, { json, bytes }: SetOptions): Json | Uint8Array {
  if (json && bytes) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "--json and --bytes exclude each other");
  }
  if (bytes) return Buffer.from(given);
  const text = typeof given === "string" ? given : decodeText(given);
  return json ? parseJson(text) : text;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new EnokiError("ENOKI_INVALID_INPUT", "the value is not UTF-8 text; say --bytes");
  }
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `not JSON: ${(error as Error).message}`);
  }
}

function toSetOptions({ json, ttl, ifVersion, ifAbsent }: SetOptions): ClientSetOptions {
  return {
    ...(json ? { as: "json" } : {}),
    ...(ttl === undefined ? {} : { ttl }),
    ...(ifVersion === undefined ? {} : { ifVersion }),
    ...(ifAbsent === undefined ? {} : { ifAbsent }),
  };
}
