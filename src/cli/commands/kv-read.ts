import type { Command } from "commander";

import type { JsonValue } from "../../channel/values.js";
import type { TypedEntry, ValueType } from "../../client/keygroup.js";
import type { PageItem } from "../../client/page-scan.js";
import type { ReadOptions, ScanRange } from "../../guest/types.js";
import { addNodeCommand, onNode, wholeNumber, type Cli } from "../command.js";
import { untilSignal, write } from "../io.js";
import { explanationText } from "../explanation-text.js";
import { jsonLine, preview, printable } from "../output.js";

interface ListOptions extends FreshOptions {
  readonly prefix?: string;
  readonly start?: string;
  readonly end?: string;
  readonly limit?: string;
  readonly reverse?: boolean;
  readonly values?: boolean;
}

interface FreshOptions {
  readonly maxStaleness?: string;
  readonly onStale?: string;
  readonly within?: string;
}

interface WatchOptions {
  readonly prefix?: string;
  readonly start?: string;
}

/** `enoki kv get|ls|watch|explain` */
export function addKvReadCommands(kv: Command, cli: Cli): void {
  addGet(kv, cli);
  addList(kv, cli);
  addWatch(kv, cli);
  addExplain(kv, cli);
}

function addGet(kv: Command, cli: Cli): void {
  const command = addNodeCommand(kv, {
    usage: "get <keygroup> <key>",
    description: "print a value as it is; exit code 1 and nothing on stdout if it is missing",
    examples: [
      "enoki kv get hello count",
      "enoki kv get hello photo > photo.png",
      "enoki kv get hello count --max-staleness 1s --on-stale peer",
    ],
    seesData: true,
  });
  withFreshness(command).action(
    onNode<FreshOptions>(cli, async (context, keygroup: string, key: string) => {
      const { client, io, json, options } = context;
      const entry = await client.kv(keygroup).entry(key, freshnessOf(options));
      if (entry === undefined) {
        cli.exitCode = 1;
        return;
      }
      if (json) return write(io.stdout, jsonLine(describeEntry(key, entry)));
      await write(io.stdout, rawValue(entry));
      if (io.stdout.isTTY) await write(io.stdout, "\n");
    }),
  );
}

function addList(kv: Command, cli: Cli): void {
  const command = addNodeCommand(kv, {
    usage: "ls <keygroup>",
    description: "list keys in order, one per line",
    examples: ["enoki kv ls hello --prefix user/ --values", "enoki kv ls hello --json --values"],
    seesData: true,
  });
  withFreshness(command)
    .option("--prefix <text>", "only keys that begin so")
    .option("--start <key>", "from this key on")
    .option("--end <key>", "up to this key, which is left out")
    .option("--limit <number>", "how many at most")
    .option("--reverse", "from the last to the first")
    .option("--values", "with their values, cut to one line each; whole with --json")
    .action(
      onNode<ListOptions>(cli, async ({ client, io, json, options }, keygroup: string) => {
        const { values, limit, ...range } = options;
        const fresh = freshnessOf(options);
        const bounds = limit === undefined ? {} : { limit: wholeNumber("--limit", limit) };
        const items = client
          .kv(keygroup)
          .items({ ...range, ...fresh, ...bounds } as ScanRange, { values: values === true });
        for await (const item of items) {
          await write(io.stdout, json ? jsonLine(item) : itemLine(item));
        }
      }),
    );
}

function addWatch(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "watch <keygroup>",
    description: "print each change from now on, until Ctrl-C",
    examples: ["enoki kv watch hello --prefix user/"],
    seesData: true,
  })
    .option("--prefix <text>", "only keys that begin so")
    .option("--start <key>", "only from this key on")
    .action(
      onNode<WatchOptions>(cli, async ({ client, io, json, options }, keygroup: string) => {
        const { prefix, start = "" } = options;
        const { signal, release } = untilSignal(io);
        const from = prefix === undefined ? start : { prefix };
        try {
          for await (const event of client.kv(keygroup).watch(from, { signal })) {
            const { key, value, version, type } = event;
            const line = value === undefined ? `${printable(key)} deleted\n` : pairLine(key, value);
            const tagged = type === undefined ? null : toTagged(type, value);
            await write(io.stdout, json ? jsonLine({ key, value: tagged, version }) : line);
          }
        } finally {
          release();
        }
      }),
    );
}

function addExplain(kv: Command, cli: Cli): void {
  addNodeCommand(kv, {
    usage: "explain <keygroup> <key>",
    description: "show where a value comes from and which replicas have it",
    examples: ["enoki kv explain hello count"],
    seesData: true,
  }).action(
    onNode(cli, async ({ client, io, json }, keygroup: string, key: string) => {
      const explanation = await client.kv(keygroup).explain(key);
      const text = json ? jsonLine(explanation) : explanationText(explanation, Date.now());
      await write(io.stdout, text);
    }),
  );
}

function withFreshness(command: Command): Command {
  return command
    .option("--max-staleness <duration>", "at most so long ago it was overwritten anywhere")
    .option("--on-stale <what>", "where that is not certain: wait (as a rule), peer, serve or fail")
    .option("--within <duration>", "how long to wait or ask around (5s)");
}

function freshnessOf({ maxStaleness, onStale, within }: FreshOptions): ReadOptions {
  return {
    ...(maxStaleness === undefined ? {} : { maxStaleness }),
    ...(onStale === undefined ? {} : { onStale: onStale as NonNullable<ReadOptions["onStale"]> }),
    ...(within === undefined ? {} : { within }),
  };
}

/** Text and bytes as they are, JSON as JSON. */
function rawValue({ type, value }: TypedEntry): string | Uint8Array {
  return type === "json" ? JSON.stringify(value) : (value as string | Uint8Array);
}

function describeEntry(key: string, { type, value, version, expiresAt }: TypedEntry): unknown {
  const tagged = toTagged(type, value);
  return { key, value: tagged, version, expiresAt: expiresAt?.toISOString() ?? null };
}

/** A value in the form that the API gives it in JSON. */
function toTagged(type: ValueType, value: unknown): { t: ValueType; v: unknown } {
  const v = type === "bytes" ? Buffer.from(value as Uint8Array).toString("base64") : value;
  return { t: type, v };
}

function itemLine({ key, value }: PageItem): string {
  return value === undefined ? `${printable(key)}\n` : pairLine(key, shownValue(value));
}

function shownValue({ t, v }: JsonValue): unknown {
  return t === "bytes" ? Buffer.from(v, "base64") : v;
}

function pairLine(key: string, value: unknown): string {
  return `${printable(key)} = ${preview(value)}\n`;
}
