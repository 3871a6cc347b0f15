import { readFile, writeFile, rename, stat } from "node:fs/promises";
import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import { createKeyFile } from "../../node/cluster-keys.js";
import { parseClusterKeys, withNewKey } from "../../secrets/cluster-keys.js";
import { addCommand, type Cli } from "../command.js";
import { write } from "../io.js";

const DEFAULT_FILE = "cluster-key";

/** `enoki secrets init|rotate`: without a node. */
export function addKeyFileCommands(secrets: Command, cli: Cli): void {
  addCommand(secrets, {
    usage: "init",
    description: "make the file with the key that the nodes of one cluster seal secrets with",
    examples: ["enoki secrets init", "enoki secrets init /etc/enoki/cluster-key"],
  })
    .argument("[file]", "where to; nothing is overwritten", DEFAULT_FILE)
    .action(async (file: string) => {
      const isMade = await createKeyFile(file).catch(refuse(file));
      if (!isMade) throw invalid(`${file} exists already; nothing is overwritten`);
      await print(cli, file);
      await write(
        cli.io.stderr,
        `keep ${file} safe, and a copy of it: without it no secret opens\n`,
      );
      await write(cli.io.stderr, `next, on every node: enoki up … --cluster-key-file ${file}\n`);
    });
  addCommand(secrets, {
    usage: "rotate",
    description: "put a new key first into the file: it seals from now on, the others open",
    examples: ["enoki secrets rotate /etc/enoki/cluster-key"],
  })
    .argument("[file]", "the file with the keys so far", DEFAULT_FILE)
    .action(async (file: string) => {
      const before = await readFile(file, "utf8").catch(refuse(file));
      parseClusterKeys(before, file);
      await replace(file, withNewKey(before));
      await print(cli, file);
      const next =
        "next: put the file on every node and restart them, then enoki secrets reseal FUNCTION";
      await write(cli.io.stderr, `${next}\n`);
    });
}

/** The file and the ids of its keys, the one that seals first. */
async function print({ io }: Cli, file: string): Promise<void> {
  const keys = parseClusterKeys(await readFile(file, "utf8"), file);
  await write(io.stdout, `${file}: ${keys.map(({ id }) => id).join(", ")}\n`);
}

async function replace(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`;
  const { mode } = await stat(file);
  await writeFile(draft, content, { mode: mode & 0o777, flag: "wx" }).catch(refuse(draft));
  await rename(draft, file);
}

function refuse(file: string) {
  return (error: NodeJS.ErrnoException): never => {
    throw invalid(`cannot use ${file} (${error.code ?? error.message})`);
  };
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", detail);
}
