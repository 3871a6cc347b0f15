import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import { ROLES, type Role } from "../../core/rights.js";
import { durationField } from "../../input/fields.js";
import { parseInput } from "../../input/parse-input.js";
import type { MadeToken } from "../../client/types.js";
import { addCommand, addNodeCommand, onNode, type Cli } from "../command.js";
import { write, type Io } from "../io.js";
import { ago, jsonLine, table } from "../output.js";

interface CreateOptions {
  readonly role: string;
  readonly name?: string;
  readonly expires?: string;
  readonly dataDir?: string;
}

/** `enoki tokens create|ls|rm` */
export function addTokensCommand(program: Command, cli: Cli): void {
  const tokens = addCommand(program, {
    usage: "tokens",
    description: "make, list and remove the tokens by which a node knows who asks",
    examples: ["enoki tokens create --role deploy --name ci --expires 30d"],
  });
  addCreate(tokens, cli);
  addNodeCommand(tokens, {
    usage: "ls",
    description: "list all tokens, without their secrets",
    examples: ["enoki tokens ls"],
  }).action(
    onNode(cli, async ({ client, io, json }) => {
      const all = await client.tokens.list();
      if (json) return write(io.stdout, jsonLine(all));
      const nowMs = Date.now();
      const rows = all.map(({ name, role, id, createdAt, expiresAt }) => [
        name,
        role,
        ago(createdAt, nowMs),
        expiryOf(expiresAt, nowMs),
        id,
      ]);
      await write(io.stdout, table(["NAME", "ROLE", "AGE", "EXPIRES", "ID"], rows));
    }),
  );
  addNodeCommand(tokens, {
    usage: "rm <token>",
    description: "remove a token, by its name or id: no node takes it any more",
    examples: ["enoki tokens rm ci"],
  }).action(
    onNode(cli, async ({ client, io, json }, token: string) => {
      await client.tokens.remove(token);
      await write(io.stdout, json ? jsonLine({ removed: token }) : `removed ${token}\n`);
    }),
  );
}

function addCreate(tokens: Command, cli: Cli): void {
  const online = onNode<CreateOptions>(cli, async ({ client, io, json, options }) => {
    const { name, expires } = options;
    const made = await client.tokens.create({
      role: roleOf(options),
      ...(name === undefined ? {} : { name }),
      ...(expires === undefined ? {} : { expires }),
    });
    await print(io, json, made);
  });
  addNodeCommand(tokens, {
    usage: "create",
    description: "make a token; it is shown this once",
    examples: [
      "enoki tokens create --role deploy --name ci --expires 30d",
      "enoki tokens create --role admin --data-dir /var/lib/enoki",
    ],
  })
    .requiredOption("--role <role>", "what it is good for: admin, deploy, invoke or read")
    .option("--name <name>", "what to call it")
    .option("--expires <duration>", "how long it is good, such as 30d; without it for ever")
    .option("--data-dir <dir>", "make it in the directory of a stopped node, which takes it up")
    .action(async (options: CreateOptions & { readonly json?: boolean }, command: Command) => {
      if (options.dataDir === undefined) return online(options, command);
      await print(cli.io, options.json === true, await createOffline(options.dataDir, options));
    });
}

async function createOffline(dataDir: string, options: CreateOptions): Promise<MadeToken> {
  const { name, expires } = options;
  // why: only this pays for loading the store.
  const { createTokenOffline } = await import("../../node/offline-tokens.js");
  const made = await createTokenOffline(dataDir, {
    role: roleOf(options),
    name,
    validMs: expires === undefined ? undefined : parseInput(durationField, expires, "--expires"),
  }).catch((error: unknown) => {
    const isRunning = error instanceof EnokiError && error.code === "ENOKI_DATA_DIR_IN_USE";
    if (!isRunning) throw error;
    const detail = `the node of ${dataDir} runs: stop it, or ask it without --data-dir`;
    throw new EnokiError(error.code, detail);
  });
  const { id, role, createdAtMs, expiresAtMs } = made.token;
  return {
    id,
    name: made.token.name,
    role,
    createdAt: new Date(createdAtMs).toISOString(),
    expiresAt: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    token: made.text,
  };
}

function roleOf({ role }: CreateOptions): Role {
  const known = ROLES.find((one) => one === role);
  if (known) return known;
  const detail = `--role: ${JSON.stringify(role)} is none of ${ROLES.join(", ")}`;
  throw new EnokiError("ENOKI_INVALID_INPUT", detail);
}

async function print(io: Io, json: boolean, made: MadeToken): Promise<void> {
  await write(io.stdout, json ? jsonLine(made) : `${made.token}\n`);
  if (json) return;
  const until = made.expiresAt === null ? "" : `, until ${made.expiresAt}`;
  await write(io.stderr, `made ${made.name} with the role ${made.role}${until}\n`);
  await write(io.stderr, "keep it: it is not shown again; use it as ENOKI_TOKEN\n");
}

function expiryOf(expiresAt: string | null, nowMs: number): string {
  if (expiresAt === null) return "never";
  return Date.parse(expiresAt) <= nowMs ? "expired" : expiresAt.slice(0, "2026-01-01".length);
}
