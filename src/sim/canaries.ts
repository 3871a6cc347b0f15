import { installRecord, type CatchUpChunk } from "../core/catch-up.js";
import { ItemChanges } from "../core/item-changes.js";
import type { Replica } from "../core/replica.js";
import type { RowReader, RowWrite } from "../core/rows.js";
import type { Vector } from "../core/vector.js";
import type { FaultyParts } from "./node.js";
import type { PlanOverrides } from "./plan.js";

/** A part that is wrong on purpose: the simulator is worth nothing unless it finds it. */
export interface Canary {
  readonly name: string;
  /** What is wrong. */
  readonly is: string;
  /** How the oracle that finds it begins its report. */
  readonly findsIt: RegExp;
  readonly faulty: FaultyParts;
  /** Where it shows. */
  readonly plan: PlanOverrides;
}

/** Every canary, by the rule that it breaks. */
export const CANARIES: readonly Canary[] = [
  {
    name: "torn",
    is: "what a catch-up brings is shown before its end",
    findsIt: /^STATE/,
    faulty: { replica: showEarly },
    plan: {},
  },
  {
    name: "vectorOfTheStart",
    is: "a catch-up is taken to bring only what its sender had when it began",
    findsIt: /^(STATE|BACK|INVENTED|CAUSALITY)/,
    faulty: { replica: judgeByStart },
    plan: {},
  },
  {
    name: "vectorOfTheEnd",
    is: "all records of a catch-up are judged by what its sender had at its end",
    findsIt: /^STATE/,
    faulty: { replica: judgeByEnd },
    plan: { faults: ["linkBreak", "partition", "slowLink"] },
  },
  {
    name: "noDependencies",
    is: "an update is applied before what it depends on",
    findsIt: /^(CAUSALITY|STATE)/,
    faulty: { replica: ignoreDependencies },
    plan: {},
  },
  {
    name: "sameRestart",
    is: "a replica that may have lost commits goes on under its old origin",
    findsIt: /^(DOT REUSED|LEFTOVERS|STATE|VECTOR)/,
    faulty: { resumesAlways: true },
    plan: { durability: "relaxed", faults: ["powerCut", "slowDisk"] },
  },
  {
    name: "oldRecord",
    is: "a node that lost its disk believes a record from before its new join",
    findsIt: /./,
    faulty: { takesOldRecords: true },
    plan: { faults: ["diskLoss", "join", "remove"], recordLateMs: 2000 },
  },
  {
    name: "appliedIsDurable",
    is: "what is applied is told to be on stable storage",
    findsIt: /./,
    faulty: { replica: claimDurable },
    plan: { durability: "relaxed", faults: ["powerCut", "slowDisk", "partition"] },
  },
  {
    name: "collectsAlone",
    is: "deletes are forgotten before the other members have them",
    findsIt: /./,
    faulty: { replica: collectAlone },
    plan: {},
  },
  {
    name: "neverCollects",
    is: "deletes are kept for ever",
    findsIt: /^LEFTOVERS/,
    faulty: { replica: (replica) => void (replica.collect = () => []) },
    plan: {},
  },
  {
    name: "neverRetires",
    is: "dead origins stay in the vector for ever",
    findsIt: /^VECTOR /,
    faulty: { replica: (replica) => void (replica.retire = () => []) },
    plan: {},
  },
  {
    name: "lyingDisk",
    is: "a sync says that it is done and is not",
    findsIt: /^(ACKNOWLEDGED|LOST)/,
    faulty: { storage: (storage) => ({ ...storage, sync: () => Promise.resolve() }) },
    plan: { durability: "strict" },
  },
  {
    name: "hiddenFullDisk",
    is: "a transaction that failed is taken for done",
    findsIt: /./,
    faulty: {
      storage: (storage) => ({
        ...storage,
        transact: (work) => {
          let result: ReturnType<typeof work> | undefined;
          try {
            return storage.transact((transaction) => (result = work(transaction)));
          } catch {
            return result as ReturnType<typeof work>;
          }
        },
      }),
    },
    plan: { faults: ["fullDisk"] },
  },
  {
    name: "cachedReads",
    is: "a read shows what an earlier one has found",
    findsIt: /^(READ|STATE)/,
    faulty: {
      storage: (storage) => {
        const cache = new Map<string, Uint8Array | undefined>();
        return {
          ...storage,
          get: (key) => {
            const name = key.join();
            if (!cache.has(name)) cache.set(name, storage.get(key));
            return cache.get(name);
          },
        };
      },
    },
    plan: {},
  },
  {
    name: "noCatchUp",
    is: "chunks of catch-ups are lost without a word",
    findsIt: /^(LIVENESS|VECTOR)/,
    faulty: {
      links: (links) => ({
        ...links,
        send: (to, lane, payload) => lane === "bulk" || links.send(to, lane, payload),
      }),
    },
    plan: {},
  },
  {
    name: "alwaysFresh",
    is: "a read is said to be as fresh as can be, whatever is known",
    findsIt: /^STALENESS/,
    faulty: { replicator: (replicator) => void (replicator.stalenessMs = () => 0) },
    plan: {},
  },
  {
    name: "neverFresh",
    is: "a read is said to be an hour old, which is never wrong",
    findsIt: /^STALENESS/,
    faulty: { replicator: (replicator) => void (replicator.stalenessMs = () => 3_600_000) },
    plan: {},
  },
  {
    name: "timeGoesBack",
    is: "hybrid time is forgotten with a restart",
    findsIt: /^(HLC|STATE|READ)/,
    faulty: { hlc: 0 },
    plan: { faults: ["clockJump", "crash"], skewMaxMs: 2000 },
  },
];

function showEarly(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  replica.receiveChunk = (reader, chunk, from) => {
    const effects = receiveChunk(reader, chunk, from);
    if (effects.outcome !== "held" || !replica.identity.isServing) return effects;
    return { ...effects, writes: [...effects.writes, ...installNow(replica, reader, chunk)] };
  };
}

function installNow(replica: Replica, reader: RowReader, chunk: CatchUpChunk): RowWrite[] {
  const changes = new ItemChanges(reader);
  for (const { key, live } of chunk.records) {
    const known = changes.get(key);
    changes.set(key, installRecord(known, live, chunk.at, replica.vector));
  }
  return changes.writes();
}

function judgeByStart(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  let start: Vector | undefined;
  replica.receiveChunk = (reader, chunk, from) => {
    if (chunk.sequence === 0 || !start) start = chunk.at;
    const at = start;
    const end = chunk.end && { ...chunk.end, vector: at };
    return receiveChunk(reader, { ...chunk, at, end }, from);
  };
}

function judgeByEnd(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  let early: CatchUpChunk[] = [];
  replica.receiveChunk = (reader, chunk, from) => {
    if (!replica.identity.isServing) return receiveChunk(reader, chunk, from);
    if (chunk.sequence === 0) early = [];
    const { end } = chunk;
    if (!end) {
      early.push(chunk);
      return receiveChunk(reader, { ...chunk, records: [] }, from);
    }
    const records = new Map(
      [...early, chunk].flatMap((part) => part.records.map((one) => [one.key.join(), one])),
    );
    const whole = { ...chunk, records: [...records.values()], at: end.vector };
    return receiveChunk(reader, whole, from);
  };
}

function ignoreDependencies(replica: Replica): void {
  const receive = replica.receive.bind(replica);
  replica.receive = (reader, update) => receive(reader, { ...update, deps: [] });
}

function claimDurable(replica: Replica): void {
  const heartbeat = replica.heartbeat.bind(replica);
  replica.heartbeat = (exchange) => {
    const honest = heartbeat(exchange);
    return { ...honest, durable: honest.applied };
  };
}

function collectAlone(replica: Replica): void {
  const collect = replica.collect.bind(replica);
  replica.collect = (reader, options) => {
    const { epoch, members } = replica.record;
    for (const member of members) replica.acknowledge(member, epoch, replica.vector);
    return collect(reader, options);
  };
}
