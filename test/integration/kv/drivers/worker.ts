import type { Kv } from "../../../../src/guest/types.js";
import type { Effect, Operation } from "../../../helpers/linearizability.js";

/** What a worker is asked to do. */
export type Job = {
  /** Wait until so many calls of this round are here at once. */
  readonly together?: number;
  readonly round?: string;
  /** A granted keygroup to work on; the function's own without it. */
  readonly keygroup?: string;
} & (
  | {
      readonly do: "history";
      readonly seed: number;
      readonly count: number;
      readonly keys: readonly string[];
    }
  | { readonly do: "update" | "increment" | "careless"; readonly times: number }
);

/** Runs a job, in a function or on a client, and returns the operations of a history. */
export async function work(kv: Kv, job: Job): Promise<Operation[]> {
  if (job.together !== undefined) await arrive(kv, job.together, String(job.round));
  if (job.do === "history") return record(kv, job);
  for (let n = 0; n < job.times; n++) await CHANGES[job.do](kv);
  return [];
}

/** Waits until `count` calls are here at once, so that as many instances (or slots) really work. */
async function arrive(kv: Kv, count: number, round: string): Promise<void> {
  const arrived = kv.counter(`arrived/${round}`);
  await arrived.add();
  while ((await arrived.value()) < count);
}

const CHANGES = {
  update: (kv: Kv) => kv.update<number>("updated", (value = 0) => value + 1),
  increment: (kv: Kv) => kv.increment("incremented"),
  careless: async (kv: Kv) => {
    const seen = await kv.get<number>("careless", 0);
    await kv.set("careless", seen + 1);
  },
};

/** CLOCK_MONOTONIC in milliseconds, as Python's `time.monotonic_ns` has it: one clock per machine. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function record(kv: Kv, job: Job & { readonly do: "history" }): Promise<Operation[]> {
  const chance = sequence(job.seed);
  const history: Operation[] = [];
  for (let n = 0; n < job.count; n++) {
    const key = job.keys[Math.floor(chance() * job.keys.length)] as string;
    const invokedMs = nowMs();
    const effect = await operate(kv, chance, key, `${job.seed}-${n}`);
    history.push({ ...effect, key, invokedMs, returnedMs: nowMs() });
  }
  return history;
}

async function operate(kv: Kv, chance: () => number, key: string, wrote: string): Promise<Effect> {
  const dice = chance();
  if (dice < 0.35) return { op: "get", value: await kv.get<string, null>(key, null) };
  if (dice < 0.4) return { op: "exists", exists: await kv.exists(key) };
  if (dice < 0.55) {
    await kv.set(key, wrote);
    return { op: "set", wrote };
  }
  if (dice < 0.65) {
    const ttlMs = 5 + Math.floor(chance() * 55);
    await kv.set(key, wrote, { ttl: `${ttlMs}ms` });
    return { op: "set", wrote, ttlMs };
  }
  if (dice < 0.8) {
    let saw: string | undefined;
    await kv.update<string>(key, (value) => {
      saw = value;
      return wrote;
    });
    return { op: "update", saw: saw ?? null, wrote };
  }
  if (dice < 0.9) return compareAndSet(kv, key, wrote);
  return { op: "delete", existed: await kv.delete(key) };
}

async function compareAndSet(kv: Kv, key: string, wrote: string): Promise<Effect> {
  const entry = await kv.entry<string>(key);
  const expected = entry?.value ?? null;
  try {
    await kv.set(key, wrote, entry ? { ifVersion: entry.version } : { ifAbsent: true });
    return { op: "compareAndSet", expected, wrote, ok: true };
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ENOKI_VERSION_CONFLICT") throw error;
    return { op: "compareAndSet", expected, wrote, ok: false };
  }
}

/** Numbers in [0, 1) from a seed (mulberry32), here because a function cannot reach the sources. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
