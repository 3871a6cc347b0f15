import { startEtcd } from "../../etcd.js";
import { startReplica, type ReplicaProcess } from "../../replica-process.js";
import type { Resources } from "../../resources.js";

/** The keygroup of every row here. */
export const KEYGROUP = "bench";

/** Two nodes in processes of their own: A founds the keygroup, B is to follow. */
export interface Pair {
  readonly a: ReplicaProcess;
  readonly b: ReplicaProcess;
  stop(): Promise<void>;
}

/** How to start a pair. */
export interface PairStart {
  /** Of A; B keeps its data in LMDB. */
  readonly storage: "lmdb" | "memory";
  readonly execArgs?: (role: "A" | "B") => readonly string[];
}

/** Starts a pair of which A has the keygroup and B does not yet. */
export async function startPair(resources: Resources, start: PairStart): Promise<Pair> {
  const { storage, execArgs = () => [] } = start;
  const naming = await startEtcd(resources);
  const options = { naming, storage, execArgs: execArgs("A") };
  const a = await startReplica(resources, { name: "a", ...options });
  const b = await startReplica(resources, {
    ...options,
    name: "b",
    storage: "lmdb",
    execArgs: execArgs("B"),
  });
  await a.ask("join", { keygroup: KEYGROUP });
  const stop = async (): Promise<void> => {
    await b.stop();
    await a.stop();
  };
  return { a, b, stop };
}

/** Lets B join and waits until A sees that it serves; resolves with how long the joining took, in ms. */
export async function joinB({ a, b }: Pair): Promise<number> {
  const tookMs = await b.ask("join", { keygroup: KEYGROUP });
  await a.ask("linked", { keygroup: KEYGROUP, members: 1 });
  return tookMs;
}
