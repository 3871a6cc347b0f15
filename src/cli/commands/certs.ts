import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";

import { parseDurationMs } from "../../base/duration.js";
import { createAuthority, issueNodeCertificate, type Issued } from "../../certs/certificates.js";
import { EnokiError } from "../../core/errors.js";
import { parseNodeName } from "../../core/ids.js";
import { addCommand, repeatable, type Cli } from "../command.js";
import { write } from "../io.js";

const DEFAULT_DIR = "certs";
const VALID_MAX_MS = 36_500 * 86_400_000;

/** `enoki certs`: what nodes prove their names with. */
export function addCertsCommand(program: Command, cli: Cli): void {
  const certs = addCommand(program, {
    usage: "certs",
    description: "make the certificates that nodes prove their names with on links",
    examples: ["enoki certs init", "enoki certs issue edge1"],
  });
  addInit(certs, cli);
  addIssue(certs, cli);
}

function addInit(certs: Command, cli: Cli): void {
  addCommand(certs, {
    usage: "init",
    description: "make a certificate authority for the nodes of one cluster",
    examples: ["enoki certs init", "enoki certs init /etc/enoki/certs --valid 3650d"],
  })
    .argument("[dir]", "folder for ca.pem and ca-key.pem", DEFAULT_DIR)
    .option("--valid <duration>", "how long the authority is good", "3650d")
    .action(async (dir: string, options: { readonly valid: string }) => {
      await mkdir(dir, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
        throw invalid(`cannot make ${dir} (${error.code})`);
      });
      const made = createAuthority({ nowMs: Date.now(), validMs: validity(options.valid) });
      await save(cli, join(dir, "ca"), made);
      await write(
        cli.io.stderr,
        `keep ${join(dir, "ca-key.pem")} safe: who has it can be any node\n`,
      );
      await write(
        cli.io.stderr,
        `next: enoki certs issue edge1${dir === DEFAULT_DIR ? "" : ` --dir ${dir}`}\n`,
      );
    });
}

interface IssueOptions {
  readonly dir: string;
  readonly valid: string;
  readonly host?: readonly string[];
}

function addIssue(certs: Command, cli: Cli): void {
  addCommand(certs, {
    usage: "issue",
    description: "issue the certificate of a node: its key, and its name signed by the authority",
    examples: ["enoki certs issue edge1", "enoki certs issue cloud --host cloud.example.org"],
  })
    .argument("<name>", "name of the node")
    .option("--dir <dir>", "folder of the authority, where the files go too", DEFAULT_DIR)
    .option("--valid <duration>", "how long the certificate is good", "730d")
    .addOption(repeatable("--host <host>", "a DNS name or IP address to put in too; repeatable"))
    .action(async (name: string, options: IssueOptions) => {
      const { dir, valid, host: hosts = [] } = options;
      const node = parseNodeName(name);
      if (node === "ca") throw invalid(`"ca" stands for the authority's own files`);
      const authority = await readAuthority(dir);
      const nowMs = Date.now();
      const made = issueNodeCertificate(authority, {
        node,
        hosts,
        nowMs,
        validMs: validity(valid),
      });
      const path = join(dir, node);
      await save(cli, path, made);
      await write(
        cli.io.stderr,
        `next: enoki up --name ${node} --link-port 7000 --link-cert ${path}.pem ` +
          `--link-key ${path}-key.pem --link-ca ${join(dir, "ca.pem")}\n`,
      );
    });
}

async function readAuthority(dir: string): Promise<Issued> {
  const read = (file: string): Promise<string> => {
    const path = join(dir, file);
    return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      const hint = error.code === "ENOENT" ? `; make one with \`enoki certs init ${dir}\`` : "";
      throw invalid(`cannot read ${path} (${error.code})${hint}`);
    });
  };
  return { cert: await read("ca.pem"), key: await read("ca-key.pem") };
}

/** Writes the key first, so that a certificate never stands there without one. Overwrites nothing. */
async function save({ io }: Cli, path: string, { cert, key }: Issued): Promise<void> {
  const files = [
    { name: `${path}-key.pem`, content: key, mode: 0o600 },
    { name: `${path}.pem`, content: cert, mode: 0o644 },
  ];
  for (const { name } of files) {
    const isThere = await access(name).then(
      () => true,
      () => false,
    );
    if (isThere) throw invalid(`${name} exists already; nothing is overwritten`);
  }
  for (const { name, content, mode } of files) {
    await writeFile(name, content, { mode, flag: "wx" }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw invalid(`${name} exists already; nothing is overwritten`);
      throw invalid(`cannot write ${name} (${error.code})`);
    });
    await write(io.stdout, `${name}\n`);
  }
}

function validity(text: string): number {
  const validMs = parseDurationMs(text);
  if (validMs !== undefined && validMs > 0 && validMs <= VALID_MAX_MS) return validMs;
  throw invalid(`--valid: ${JSON.stringify(text)} is no duration such as 365d, at most 36500d`);
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", detail);
}
