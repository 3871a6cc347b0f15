import { createPrng } from "../base/prng.js";
import type { NodeName } from "../core/ids.js";
import { utf8Bytes } from "../core/text.js";
import { TAG } from "../core/value.js";
import { SimNaming } from "./cluster/naming.js";
import { Network } from "./cluster/network.js";
import { UNWATCHED } from "./cluster/node-parts.js";
import { SimNode } from "./cluster/node.js";
import { VirtualTime } from "./cluster/virtual-time.js";

/** Who has a link to whom: all to the first, each to its parent, or all to all. */
const TOPOLOGIES = ["hub", "tree", "mesh"] as const;
type Topology = (typeof TOPOLOGIES)[number];

/** Sizes of keygroups that are measured. */
const MEMBERS = [3, 16, 64] as const;

/** How one size of keygroup does over one kind of links. */
export interface ScaleRow {
  readonly topology: Topology;
  readonly members: number;
  readonly keygroups: number;
  /** From a write until all members show it, in virtual time. */
  readonly spreadP50Ms: number;
  readonly spreadMaxMs: number;
  /** Messages and bytes of any kind from the write until all members show it. */
  readonly messagesPerWrite: number;
  readonly bytesPerWrite: number;
  /** Messages that a node sends per second while nothing is written. */
  readonly idleMessages: number;
}

const WRITES = 10;
const LINK_DELAY_MS = 10;
const IDLE_MS = 4000;
/** Longest virtual time that anything may take here. */
const WAIT_MAX_MS = 120_000;
/** Members in the keygroups of one size that are run; the others are like them. */
const MEMBERS_RUN_MAX = 64;

/** Measures every size of keygroup over every kind of links. */
export async function measureAll(nodes: number): Promise<ScaleRow[]> {
  const rows: ScaleRow[] = [];
  for (const topology of TOPOLOGIES) {
    for (const members of MEMBERS) rows.push(await measureScale(nodes, members, topology));
  }
  return rows;
}

/** Measures keygroups of `members` members, as many as `nodes` nodes hold, one replica on each. */
async function measureScale(nodes: number, members: number, topology: Topology): Promise<ScaleRow> {
  const keygroups = Math.floor(nodes / members);
  const spreads: number[] = [];
  const sum = { messages: 0, bytes: 0, idle: 0 };
  const runs = Math.min(keygroups, Math.ceil(MEMBERS_RUN_MAX / members));
  for (let seed = 1; seed <= runs; seed++) {
    const run = await runKeygroup(seed, members, topology);
    spreads.push(...run.spreads);
    sum.messages += run.messages;
    sum.bytes += run.bytes;
    sum.idle += run.idleMessages;
  }
  const sorted = spreads.sort((left, right) => left - right);
  return {
    topology,
    members,
    keygroups,
    spreadP50Ms: Math.round(sorted[sorted.length >> 1] ?? 0),
    spreadMaxMs: Math.round(sorted.at(-1) ?? 0),
    messagesPerWrite: Math.round(sum.messages / spreads.length),
    bytesPerWrite: Math.round(sum.bytes / spreads.length),
    idleMessages: Number((sum.idle / runs / members / (IDLE_MS / 1000)).toFixed(1)),
  };
}

async function runKeygroup(seed: number, members: number, topology: Topology) {
  const time = new VirtualTime();
  const random = createPrng(seed);
  const sent = { messages: 0, bytes: 0 };
  const parts = { time, random };
  const network = new Network(planOf(topology), {
    ...parts,
    events: {
      happened: () => {},
      delivered: (_from, _to, _lane, payload) => {
        sent.messages += 1;
        sent.bytes += payload.length;
      },
    },
  });
  const names = Array.from({ length: members }, (_, at) => `n${at}` as NodeName);
  const naming = new SimNaming(names[0] as NodeName, parts);
  const events = UNWATCHED;
  const config = { policy: "lww", durability: "relaxed", ttlMs: 0 } as const;
  const nodes = names.map((name, index) => {
    network.addNode(name);
    const shared = { time, network, naming, config, timing: {}, events, faulty: {} };
    const stagedBytesMax = 1_000_000;
    return new SimNode({ ...shared, index, name, random, skewMs: 0, stagedBytesMax });
  });
  for (const node of nodes) node.start();
  naming.publish();
  for (const name of names.slice(1)) naming.join(name);
  await waitFor(time, () => nodes.every((node) => node.isServing));
  await time.run(time.nowMs + 3000);
  const idleBegin = sent.messages;
  await time.run(time.nowMs + IDLE_MS);
  const idleMessages = sent.messages - idleBegin;
  const spreads: number[] = [];
  const before = { ...sent };
  for (let at = 0; at < WRITES; at++) {
    const writer = random.pick(nodes);
    const begunMs = time.nowMs;
    write(writer, at);
    await time.run(time.nowMs + 1);
    const { vector, origin } = (writer.keygroup as NonNullable<typeof writer.keygroup>).replica;
    const dot = { ...origin, counter: vector.get(origin) };
    await waitFor(time, () => nodes.every((node) => node.keygroup?.replica.vector.covers(dot)));
    spreads.push(time.nowMs - begunMs);
  }
  const [messages, bytes] = [sent.messages - before.messages, sent.bytes - before.bytes];
  return { spreads, messages, bytes, idleMessages };
}

function planOf(topology: Topology): Network["plan"] {
  const isLinked = {
    hub: (left: number, right: number) => left === 0 || right === 0,
    tree: (left: number, right: number) =>
      (Math.max(left, right) - 1) >> 1 === Math.min(left, right),
    mesh: () => true,
  }[topology];
  return {
    mode: "links",
    lossRate: 0,
    duplicateRate: 0,
    reorderRate: 0,
    delayMinMs: LINK_DELAY_MS,
    delayMaxMs: LINK_DELAY_MS,
    backlogBytesMax: 1_000_000,
    keepaliveMs: 10_000,
    isLinked,
  };
}

function write(node: SimNode, number: number): void {
  const value = { tag: TAG.str, bytes: utf8Bytes(`value ${number}`.padEnd(100)) };
  const writes = [{ op: "set", key: `key${number}`, value } as const];
  node.keygroup?.submit(
    { writes },
    () => {},
    (error) => {
      throw error;
    },
  );
}

async function waitFor(time: VirtualTime, holds: () => boolean): Promise<void> {
  const endMs = time.nowMs + WAIT_MAX_MS;
  while (!holds()) {
    if (time.nowMs > endMs) throw new Error("the cluster does not come to rest");
    await time.run(time.nowMs + 2);
  }
}

/** The rows as a table. */
export function scaleTable(nodes: number, rows: readonly ScaleRow[]): string {
  const head = [
    "links",
    "members",
    "keygroups",
    "until all have it, p50",
    "max",
    "messages per write",
    "bytes per write",
    "messages per node and second, idle",
  ];
  const lines = rows.map((row) =>
    [
      row.topology,
      row.members,
      row.keygroups,
      `${row.spreadP50Ms} ms`,
      `${row.spreadMaxMs} ms`,
      row.messagesPerWrite,
      row.bytesPerWrite,
      row.idleMessages,
    ].join(" | "),
  );
  return [
    `${nodes} nodes, one replica on each, links of ${LINK_DELAY_MS} ms one way, values of 100 bytes:`,
    "",
    `| ${head.join(" | ")} |`,
    `|${"---|".repeat(head.length)}`,
    ...lines.map((line) => `| ${line} |`),
  ].join("\n");
}

/** The page that shows them. */
export function scalePage(nodes: number, rows: readonly ScaleRow[], commit: string): string {
  return `# How clusters grow

Made by \`npm run sim:scale\` on commit \`${commit}\`; nothing here is written by hand. The production code on simulated
links and virtual time, without faults.

${scaleTable(nodes, rows)}

Where it bends: what a write costs grows with the square of the members, for each of them soon tells every linked one what it has
now: watch *messages per write* from 16 to 64 members over a mesh. Over a tree each level adds a catch-up to the time.
Keygroups do not touch each other, so more nodes mean more of them and nothing else.
`;
}
