// Why so long: a list.

import type { Canary } from "./canary.js";
import {
  claimDurable,
  collectAlone,
  ignoreDependencies,
  judgeByEnd,
  judgeByStart,
  replaceNothing,
  showEarly,
  skipDeletes,
} from "./faulty-replica.js";
import { changeHeartbeat, keepForLater, withFreshRelays, withoutRelays } from "./faulty-links.js";

/** Faults of replicas and of what they stand on. */
export const REPLICA_CANARIES: readonly Canary[] = [
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
    findsIt: /^STATE/,
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
    findsIt: /^CAUSALITY/,
    faulty: { replica: ignoreDependencies },
    plan: {},
  },
  {
    name: "sameRestart",
    is: "a replica that may have lost commits goes on under its old origin",
    findsIt: /^DOT REUSED/,
    faulty: { resumesAlways: true },
    plan: { durability: "relaxed", faults: ["powerCut", "slowDisk"] },
  },
  {
    name: "oldRecord",
    is: "a node that lost its disk believes a record from before its new join",
    findsIt: /^(DOT REUSED|STATE|LOST|VECTOR)/,
    faulty: { takesOldRecords: true },
    plan: { faults: ["diskLoss", "join", "remove"], recordLateMs: 2000 },
  },
  {
    name: "appliedIsDurable",
    is: "what is applied is told to be on stable storage",
    findsIt: /^(VECTOR|LOST|STATE|LIVENESS)/,
    faulty: { replica: claimDurable },
    plan: { durability: "relaxed", faults: ["powerCut", "slowDisk", "partition"] },
  },
  {
    name: "collectsAlone",
    is: "deletes are forgotten before the other members have them",
    findsIt: /^(LIVENESS|MONOTONIC|RETIRED|WRITES|RESURRECTED)/,
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
    findsIt: /^(STATE|ACKNOWLEDGED|READ|INVENTED)/,
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
    findsIt: /^(READ|STATE|AssertionError: an index row)/,
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
    name: "freshenedRelay",
    is: "what is relayed of a member is said to be as fresh as the heartbeat that tells it",
    findsIt: /^STALENESS/,
    faulty: {
      links: (links) => ({
        ...links,
        send: (to, lane, payload) =>
          links.send(to, lane, changeHeartbeat(payload, withFreshRelays)),
      }),
    },
    plan: { links: "hub" },
  },
  {
    name: "noRelay",
    is: "members tell nothing of others",
    findsIt: /^(LEFTOVERS|STALENESS|VECTOR)/,
    faulty: {
      links: (links) => ({
        ...links,
        send: (to, lane, payload) => links.send(to, lane, changeHeartbeat(payload, withoutRelays)),
      }),
    },
    plan: { links: "chain" },
  },
  {
    name: "timeGoesBack",
    is: "hybrid time is forgotten with a restart",
    findsIt: /^HLC/,
    faulty: { hlc: 0 },
    plan: { faults: ["clockJump", "crash"], skewMaxMs: 2000 },
  },
  {
    name: "noDeletes",
    is: "a catch-up brings no deletes",
    findsIt: /^RESURRECTED/,
    faulty: { replica: skipDeletes },
    plan: { policy: "siblings" },
  },
  {
    name: "keepsAll",
    is: "a write stays beside the one before it",
    findsIt: /^UNBOUNDED/,
    faulty: { replica: replaceNothing },
    plan: { policy: "siblings" },
  },
  {
    name: "hoards",
    is: "what a link does not take is kept for it without a bound",
    findsIt: /^UNBOUNDED/,
    faulty: { links: keepForLater },
    plan: { faults: ["isolate", "partition", "slowLink"], mode: "links" },
  },
];
