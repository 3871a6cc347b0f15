import { beforeEach, expect, test, vi } from "vitest";

import type { NodeName } from "../../../src/core/ids.js";
import { joinUpdates } from "../../../src/core/wire/messages.js";
import { encodeUpdate } from "../../../src/core/wire/update.js";
import { str, textOf } from "../../helpers/memory-keygroup.js";
import {
  membershipOf,
  openMember,
  TestNetwork,
  type TestMember,
} from "../../helpers/replicating-members.js";

vi.mock(import("../../../src/core/wire/update.js"), async (load) => {
  const real = await load();
  return { ...real, encodeUpdate: vi.fn(real.encodeUpdate) };
});
vi.mock(import("../../../src/core/wire/messages.js"), async (load) => {
  const real = await load();
  return { ...real, joinUpdates: vi.fn(real.joinUpdates) };
});

const NODES = ["a", "b", "c", "d"] as NodeName[];
const OTHERS = NODES.length - 1;
/** How often members tell where they stand, at most. */
const SPACING_MS = 20;

let network: TestNetwork;
let members: TestMember[];

beforeEach(async () => {
  network = new TestNetwork();
  members = [];
  for (const [at, node] of NODES.entries()) {
    // Nothing gets lost here, so whatever seems to be missing is only late.
    const timing = { heartbeatSpacingMs: SPACING_MS, catchUpAfterMs: 60_000 };
    const beats = { heartbeatIntervalMs: SPACING_MS, ...timing };
    members.push(await openMember(network, node, at + 1, beats));
  }
  for (const [at, member] of members.entries()) {
    for (const peer of NODES) if (peer !== NODES[at]) member.router.up(peer);
    await member.replicator.adopt(membershipOf(NODES));
  }
  await expect
    .poll(() => members.slice(1).map(({ told }) => told))
    .toEqual([["serving"], ["serving"], ["serving"]]);
  await expect
    .poll(() => members.flatMap(({ replicator }) => replicator.metrics().peers))
    .toEqual(Array.from({ length: NODES.length * OTHERS }, () => isServing));
  await settled();
});

const isServing: unknown = expect.objectContaining({ isLinked: true, isServing: true });
const set = ({ keygroup }: TestMember, key: string): Promise<unknown> =>
  keygroup.write({ writes: [{ op: "set", key, value: str("value") }] });

/** Resolves once all members show that key, and everything that this has caused is over. */
async function settled(key?: string): Promise<void> {
  if (key !== undefined) {
    await expect
      .poll(() => members.map(({ keygroup }) => textOf(keygroup.get(key))))
      .toEqual(NODES.map(() => "value"));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
}

/** What `work` at the first member takes, until all have it. */
async function during(work: (writer: TestMember) => Promise<string>) {
  vi.mocked(encodeUpdate).mockClear();
  vi.mocked(joinUpdates).mockClear();
  network.sent.length = 0;
  const before = members.map(({ storage }) => storage.transactions);
  const begunMs = performance.now();
  await settled(await work(members[0] as TestMember));
  const elapsedMs = performance.now() - begunMs;
  const lanes = network.sent.map(({ from, lane }) => `${from} ${lane}`);
  // Where members stand is told so often, whatever is written.
  const told = lanes.filter((lane) => lane.endsWith(" control")).length;
  const beats = Math.ceil(elapsedMs / SPACING_MS) + 1;
  expect(told).toBeLessThanOrEqual(2 * beats * NODES.length * OTHERS);
  return {
    encoded: vi.mocked(encodeUpdate).mock.calls.length,
    joined: vi.mocked(joinUpdates).mock.calls.length,
    updates: lanes.filter((lane) => lane === "a update").length,
    others: lanes.filter((lane) => lane !== "a update" && !lane.endsWith(" control")),
    transactions: members.map(({ storage }, at) => storage.transactions - (before[at] as number)),
  };
}

test("a write alone is encoded once for all members, one message to each, and one transaction there", async () => {
  const work = await during((writer) => set(writer, "k").then(() => "k"));
  expect(work).toEqual({
    encoded: 1,
    joined: 1,
    updates: OTHERS,
    others: [],
    transactions: [1, 1, 1, 1],
  });
});

test("writes one after the other cost each the same, and nobody answers them", async () => {
  const writes = 20;
  const work = await during(async (writer) => {
    for (let at = 0; at < writes; at++) await set(writer, `k${at}`);
    return `k${writes - 1}`;
  });
  expect(work.encoded).toBe(writes);
  expect(work.joined).toBeLessThanOrEqual(writes);
  expect(work.updates).toBe(work.joined * OTHERS);
  expect(work.others).toEqual([]);
  // What arrives in one turn shares a transaction, so it may be fewer than messages.
  for (const count of work.transactions.slice(1)) expect(count).toBeLessThanOrEqual(work.joined);
});

test("writes of one turn are one transaction here, one message to each member and one transaction there", async () => {
  const work = await during(async (writer) => {
    await Promise.all(Array.from({ length: 32 }, (_, at) => set(writer, `many${at}`)));
    return "many31";
  });
  expect(work).toEqual({
    encoded: 32,
    joined: 1,
    updates: OTHERS,
    others: [],
    transactions: [1, 1, 1, 1],
  });
});
