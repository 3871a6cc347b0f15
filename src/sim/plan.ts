import { createPrng, type Prng } from "../base/prng.js";
import type { KeygroupConfig } from "../keygroups/types.js";
import type { LinkShape } from "./topology.js";

/** Everything about a run that its seed decides before it begins. */
export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  /** How many of them are members from the start. */
  readonly members: number;
  readonly config: KeygroupConfig;
  /** Who has a link to whom. */
  readonly links: LinkShape;
  readonly keys: number;
  /** Keys in a chunk of a catch-up, and chunks on their way at once. */
  readonly chunkKeys: number;
  readonly chunkWindow: number;
  readonly clients: number;
  readonly network: {
    readonly mode: "links" | "raw";
    readonly lossRate: number;
    readonly duplicateRate: number;
    readonly reorderRate: number;
    readonly delayMinMs: number;
    readonly delayMaxMs: number;
    readonly backlogBytesMax: number;
    readonly keepaliveMs: number;
  };
  readonly skewMaxMs: number;
  /** What a replica may stage of a catch-up. */
  readonly stagedBytesMax: number;
  /** Updates that may wait at a replica for earlier ones; `undefined` = as in production. */
  readonly heldUpdatesMax: number | undefined;
  /** Longest time until a node sees a record. */
  readonly recordLateMs: number;
  /** How long faults and writes go on. */
  readonly chaosMs: number;
  /** How long one client goes on while nothing is wrong any more; 0 = not at all. */
  readonly calmMs: number;
  /** How long everything may take to become equal afterwards. */
  readonly healMs: number;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  /** How likely each kind of fault is in this run; 0 = never. */
  readonly faults: Readonly<Record<FaultKind, number>>;
}

/** What can be done to a cluster. */
export const FAULT_KINDS = [
  "partition",
  "oneWay",
  "isolate",
  "linkBreak",
  "crash",
  "powerCut",
  "diskLoss",
  "cleanRestart",
  "remove",
  "leave",
  "join",
  "slowDisk",
  "fullDisk",
  "clockJump",
  "slowLink",
] as const;

/** One of {@link FAULT_KINDS}. */
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What may be fixed from outside; the seed decides the rest. */
export interface PlanOverrides {
  readonly nodes?: number;
  readonly policy?: KeygroupConfig["policy"];
  readonly durability?: KeygroupConfig["durability"];
  readonly mode?: "links" | "raw";
  readonly links?: LinkShape;
  readonly skewMaxMs?: number;
  readonly recordLateMs?: number;
  /** Only these faults, all alike. */
  readonly faults?: readonly FaultKind[];
}

/** Draws the plan of a seed. */
export function drawPlan(seed: number, overrides: PlanOverrides = {}): Plan {
  const random = createPrng(seed);
  const nodes = overrides.nodes ?? 3 + random.below(3);
  const delayMaxMs = 3 + random.next() * 60;
  const plan: Omit<Plan, "links"> = {
    seed,
    nodes,
    members: Math.max(2, nodes - random.below(2)),
    config: {
      policy: overrides.policy ?? random.pick(["lww", "lww", "siblings", "merge"]),
      durability: overrides.durability ?? (random.next() < 0.4 ? "strict" : "relaxed"),
      ttlMs: 0,
    },
    keys: 2 + random.below(random.next() < 0.3 ? 14 : 5),
    chunkKeys: 1 + random.below(3),
    chunkWindow: 1 + random.below(3),
    clients: 4,
    network: {
      mode: overrides.mode ?? (random.next() < 0.35 ? "raw" : "links"),
      lossRate: random.next() * 0.2,
      duplicateRate: random.next() * 0.15,
      reorderRate: random.next() * 0.2,
      delayMinMs: 1,
      delayMaxMs,
      backlogBytesMax: random.next() < 0.3 ? 250 : 1_000_000,
      keepaliveMs: 150 + random.below(250),
    },
    skewMaxMs: overrides.skewMaxMs ?? (random.next() < 0.5 ? 0 : 150),
    stagedBytesMax: random.next() < 0.15 ? 600 : 1_000_000,
    heldUpdatesMax: seed % 16 === 13 ? 2 : undefined,
    recordLateMs: overrides.recordLateMs ?? (random.next() < 0.5 ? 60 : 900),
    chaosMs: 2500,
    calmMs: seed % 4 === 0 ? 300 : 0,
    healMs: 30_000,
    faultEveryMs: 40 + random.below(160),
    faults: drawFaults(random, overrides.faults),
  };
  const links = random.pick<LinkShape>(["mesh", "mesh", "mesh", "hub", "chain"]);
  return { ...plan, links: overrides.links ?? links };
}

/** Each run does without some kinds of faults, so that others are met in a calmer cluster. */
function drawFaults(random: Prng, only?: readonly FaultKind[]): Plan["faults"] {
  const faults = {} as Record<FaultKind, number>;
  for (const kind of FAULT_KINDS) {
    const weight = random.next() < 0.4 ? 0 : 0.2 + random.next();
    faults[kind] = only ? Number(only.includes(kind)) : weight;
  }
  return faults;
}
