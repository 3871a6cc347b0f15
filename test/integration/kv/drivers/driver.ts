import { CHANGES, isThrown } from "./changes.js";
import { decodeSpecial, encode, isSpecial } from "./values.js";
import type { Entry, Kv, Value } from "../../../../src/guest/types.js";

/** One step of a case of `kv-cases.json`; what each means is said where it is done, below. */
export type Step = Readonly<Record<string, unknown>> & { readonly op: string };

/** What a step gave: its result, or the code of its error. */
export type StepResult = { readonly ok: unknown } | { readonly error: string };

/** Versions that a case has saved. */
type Saved = Map<string, string>;

/** What the steps of one case have in common. */
interface Run {
  readonly kv: Kv;
  readonly saved: Saved;
  /** Name of the function's own keygroup. */
  readonly own: string;
}

const FILL_GROUP = 500;

/** Runs the steps of a case on `kv` or a client; it begins with no keys unless `keep`. */
export async function runSteps(
  kv: Kv,
  own: string,
  steps: readonly Step[],
  keep = false,
): Promise<StepResult[]> {
  if (!keep) await clear(kv);
  const run = { kv, own, saved: new Map<string, string>() };
  const results: StepResult[] = [];
  for (const step of steps) results.push(await runStep(run, step));
  return results;
}

async function clear(kv: Kv): Promise<void> {
  const keys = await kv.keys().toArray();
  for (let at = 0; at < keys.length; at += FILL_GROUP) {
    const batch = kv.batch();
    for (const key of keys.slice(at, at + FILL_GROUP)) batch.delete(key);
    await batch.commit();
  }
}

async function runStep(run: Run, step: Step): Promise<StepResult> {
  try {
    const operation = OPS[step.op];
    if (!operation) throw new Error(`no such step: ${step.op}`);
    return { ok: await operation(run, step) };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (typeof code === "string" && code.startsWith("ENOKI_")) return { error: code };
    return { error: isThrown(error) ? "thrown" : String((error as Error).stack ?? error) };
  }
}

/** The member `name` of a step as the library gets it. */
function read<T = string>(run: Run, step: Step, name: string): T {
  return decode(step[name], run.saved) as T;
}

function decode(value: unknown, saved: Saved): unknown {
  if (Array.isArray(value)) return value.map((item) => decode(item, saved));
  if (typeof value !== "object" || value === null) return value;
  if (isSpecial(value)) {
    return value.$ === "saved" ? saved.get(String(value["name"])) : decodeSpecial(value);
  }
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v, saved)]));
}

/** Those of `names` that the step has. */
function options(run: Run, step: Step, ...names: string[]): Record<string, never> {
  const given = names.filter((name) => name in step);
  return Object.fromEntries(given.map((name) => [name, read<never>(run, step, name)]));
}

const BOUNDS = ["start", "end", "prefix", "limit", "reverse"];

function amount(run: Run, step: Step): [] | [number] {
  return "n" in step ? [read<number>(run, step, "n")] : [];
}

function save({ saved }: Run, step: Step, version: string): void {
  if (typeof step["as"] === "string") saved.set(step["as"], version);
}

function filled(step: Step, n: number): string {
  return `${String(step["prefix"])}${String(n).padStart(5, "0")}`;
}

async function update(run: Run, step: Step): Promise<unknown> {
  const { kv } = run;
  const key = read(run, step, "key");
  const fn = String(step["fn"]);
  const seen: unknown[] = [];
  const change = async (value: unknown): Promise<never> => {
    seen.push(value);
    if (seen.length === 1 && ["addAfterChange", "deleteOneAfterChange"].includes(fn)) {
      await kv.set(key, 100);
    }
    if (seen.length === 1 && fn === "addAfterDelete") await kv.delete(key);
    return CHANGES[fn]?.(value as never, step["arg"] as never, kv.DELETE) as never;
  };
  const value = await kv.update(key, change, options(run, step, "once"));
  return { value: encode(value), saw: encode(seen.at(-1)), calls: seen.length };
}

async function batch(run: Run, step: Step): Promise<unknown> {
  const builder = run.kv.batch();
  for (const check of (step["checks"] ?? []) as Step[]) {
    builder.check(read(run, check, "key"), read(run, check, "version"));
  }
  for (const write of step["writes"] as Step[]) {
    const key = read(run, write, "key");
    if (write.op === "delete") builder.delete(key);
    else if (write.op === "increment") builder.increment(key, ...amount(run, write));
    else builder.set(key, read<Value>(run, write, "value"), options(run, write, "ttl"));
  }
  if ("once" in step) builder.once(String(step["once"]));
  const committed = await builder.commit();
  const [version] = committed.versions;
  if (typeof version === "string") save(run, step, version);
  return committed;
}

async function watch(run: Run, step: Step): Promise<unknown> {
  const range = "prefix" in step ? { prefix: read(run, step, "prefix") } : read(run, step, "start");
  const events = run.kv.watch(range as string);
  const first = events.next();
  first.catch(() => {});
  for (const write of step["writes"] as Step[]) {
    const result = await runStep(run, write);
    if ("error" in result && result.error !== write["error"]) throw new Error(result.error);
  }
  const seen: unknown[] = [];
  for (let n = 0; n < Number(step["count"]); n++) {
    const { value } = n === 0 ? await first : await events.next();
    const { key, value: now } = value as { key: string; value: unknown };
    seen.push([key, now === undefined ? { $: "deleted" } : encode(now)]);
  }
  if (step["count"] === 0) await first;
  await events.return?.();
  return seen;
}

async function keygroup(run: Run, step: Step): Promise<unknown> {
  const other = run.kv.keygroup(step["name"] === "own" ? run.own : String(step["name"]));
  const key = read(run, step, "key");
  switch (step["do"]) {
    case "get":
      return encode(await other.get(key));
    case "set":
      return other.set(key, "through keygroup");
    case "scan":
      return other.scan().toArray();
    case "update":
      return other.update(key, () => 1);
    default:
      return other.batch().set(key, 1).commit();
  }
}

async function untilMissing({ kv }: Run, key: string): Promise<boolean> {
  const endMs = performance.now() + 10_000;
  while (performance.now() < endMs) if (!(await kv.exists(key))) return true;
  return false;
}

function describe(run: Run, step: Step, entry: Entry | undefined): unknown {
  if (!entry) return encode(undefined);
  save(run, step, entry.version);
  const { value, version, expiresAt } = entry;
  const leftMs = expiresAt ? expiresAt.getTime() - Date.now() : null;
  return { value: encode(value), version, leftMs };
}

async function fill({ kv }: Run, step: Step): Promise<void> {
  const count = Number(step["count"]);
  for (let at = 0; at < count; at += FILL_GROUP) {
    const part = kv.batch();
    for (let n = at; n < Math.min(at + FILL_GROUP, count); n++) part.set(filled(step, n), n);
    await part.commit();
  }
}

async function ends(run: Run, step: Step): Promise<unknown> {
  const range = options(run, step, ...BOUNDS);
  const keys = step["values"]
    ? (await run.kv.scan(range).toArray()).map(([key]) => key)
    : await run.kv.keys(range).toArray();
  return { count: keys.length, first: keys[0], last: keys.at(-1) };
}

const OPS: Readonly<Record<string, (run: Run, step: Step) => unknown>> = {
  get: async (run, step) => {
    const rest: [] | [unknown] = "default" in step ? [read(run, step, "default")] : [];
    return encode(await run.kv.get(read(run, step, "key"), ...(rest as [])));
  },
  entry: async (run, step) => describe(run, step, await run.kv.entry(read(run, step, "key"))),
  set: async (run, step) => {
    const given = options(run, step, "ttl", "ifVersion", "ifAbsent");
    const value = read<Value>(run, step, "value");
    const version = await run.kv.set(read(run, step, "key"), value, given);
    save(run, step, version);
    return version;
  },
  delete: (run, step) => run.kv.delete(read(run, step, "key")),
  exists: (run, step) => run.kv.exists(read(run, step, "key")),
  length: async (run, step) =>
    ((await run.kv.get(read(run, step, "key"))) as { length: number }).length,
  nativeType: async (run, step) => {
    const value = await run.kv.get(read(run, step, "key"));
    return value instanceof Uint8Array ? "Uint8Array" : typeof value;
  },
  same: ({ saved }, step) => saved.get(String(step["left"])) === saved.get(String(step["right"])),
  untilMissing: (run, step) => untilMissing(run, read(run, step, "key")),
  getMany: async (run, step) => {
    const found = await run.kv.getMany(read<string[]>(run, step, "keys"));
    return Object.fromEntries([...found].map(([key, value]) => [key, encode(value)]));
  },
  getManyFilled: async ({ kv }, step) => {
    const keys = Array.from({ length: Number(step["count"]) }, (_, n) => filled(step, n));
    return (await kv.getMany(keys)).size;
  },
  scan: async (run, step) => {
    const pairs = await run.kv.scan(options(run, step, ...BOUNDS)).toArray();
    return pairs.map(([key, value]) => [key, encode(value)]);
  },
  keys: (run, step) => run.kv.keys(options(run, step, ...BOUNDS)).toArray(),
  ends,
  fill,
  batchFilled: async ({ kv }, step) => {
    const all = kv.batch();
    for (let n = 0; n < Number(step["count"]); n++) all.set(filled(step, n), n);
    await all.commit();
  },
  batchTwice: async ({ kv }) => {
    const twice = kv.batch().set("a", 1);
    await twice.commit();
    await twice.commit();
  },
  update,
  increment: (run, step) => run.kv.increment(read(run, step, "key"), ...amount(run, step)),
  counterAdd: (run, step) => run.kv.counter(read(run, step, "key")).add(...amount(run, step)),
  counterValue: (run, step) => run.kv.counter(read(run, step, "key")).value(),
  setAdd: (run, step) => run.kv.setOf(read(run, step, "key")).add(read(run, step, "member")),
  setRemove: (run, step) => run.kv.setOf(read(run, step, "key")).remove(read(run, step, "member")),
  setValue: (run, step) => run.kv.setOf(read(run, step, "key")).value(),
  mapSet: (run, step) =>
    run.kv.map(read(run, step, "key")).set(read(run, step, "field"), read(run, step, "value")),
  mapAdd: (run, step) =>
    run.kv.map(read(run, step, "key")).add(read(run, step, "field"), ...amount(run, step)),
  mapRemove: (run, step) => run.kv.map(read(run, step, "key")).remove(read(run, step, "field")),
  mapValue: (run, step) => run.kv.map(read(run, step, "key")).value(),
  batch,
  siblings: async (run, step) => (await run.kv.siblings(read(run, step, "key"))).map(encode),
  watch,
  keygroup,
};
