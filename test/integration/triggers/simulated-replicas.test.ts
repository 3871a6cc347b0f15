import { describe, expect, test } from "vitest";

import { parseDot } from "../../../src/core/dot.js";
import { Vector } from "../../../src/core/vector.js";
import type { Downfall } from "../../../src/sim/cluster/node-parts.js";
import { SimulatedTriggers, type Handled } from "../../helpers/simulated-triggers.js";

const NAMES = ["cloud", "edge1", "edge2", "edge3"];
const SEEDS = Array.from({ length: 25 }, (_, seed) => seed + 1);
const STEPS = 60;

/** Writes, crashes, lost disks, cuts and members that go and come; then everything is there again. */
async function live(sim: SimulatedTriggers): Promise<void> {
  const { random, nodes, network } = sim;
  const node = () => nodes[random.below(nodes.length)] as (typeof nodes)[number];
  await sim.begin();
  for (let step = 0; step < STEPS; step++) {
    for (let writes = random.below(6); writes > 0; writes--) {
      const value = random.next() < 0.1 ? undefined : `${step}.${writes}`;
      sim.write(node(), `key${random.below(8)}`, value);
    }
    const chance = random.next();
    const [one, other] = [node(), node()];
    if (chance < 0.12) {
      const how = (["process", "power", "disk"] as const)[random.below(3)] as Downfall;
      // One disk at a time: with all of them gone, there is nothing left to tell of.
      if (how !== "disk" || nodes.every(({ isUp }) => isUp)) sim.crash(one, how);
    } else if (chance < 0.3 && !one.isUp) one.start();
    else if (chance < 0.4 && one !== other) {
      network.cut(one.index, other.index);
      network.cut(other.index, one.index);
    } else if (chance < 0.5) mend(sim);
    else if (chance < 0.53 && sim.naming.record.members.length > 2) sim.naming.remove(one.name);
    else if (chance < 0.6 && one.isUp) joinAgain(sim, one);
    await sim.run(random.next() * 400);
  }
  mend(sim);
  for (const one of nodes) if (!one.isUp) one.start();
  await sim.run(500);
  for (const one of nodes) joinAgain(sim, one);
  await sim.run(60_000);
}

function mend({ nodes, network }: SimulatedTriggers): void {
  for (const one of nodes) {
    for (const other of nodes) if (one !== other) network.mend(one.index, other.index);
  }
}

function joinAgain({ naming }: SimulatedTriggers, { name }: { readonly name: string }): void {
  const isMember = naming.record.members.some((member) => member.node === name);
  if (!isMember) naming.join(name as never);
}

/** Keys with what they show in the end. */
function newest(sim: SimulatedTriggers, node: SimulatedTriggers["nodes"][number]) {
  const { items = [] } = node.serving?.scan({ prefix: "key", limit: 0 }) ?? {};
  return items.map(({ key }) => ({ key, version: node.serving?.entry(key)?.version }));
}

const isOf = (key: string, version: string | undefined) => (handled: Handled) =>
  handled.key === key && handled.version === version;

describe("whatever happens to nodes, disks and links", () => {
  test.each(SEEDS)(
    "every replica has told the newest value of each key (seed %i)",
    async (seed) => {
      const sim = new SimulatedTriggers(seed, NAMES, "every");
      await live(sim);
      for (const node of sim.nodes) {
        expect(node.isServing, node.name).toBe(true);
        const told = sim.handled.filter((handled) => handled.node === node.name);
        for (const { key, version } of newest(sim, node)) {
          expect(told.some(isOf(key, version)), `${node.name}: ${key} ${version}`).toBe(true);
        }
      }
      expectOrder(sim);
    },
  );

  test.each(SEEDS)("one of them has, also when another one takes over (seed %i)", async (seed) => {
    const sim = new SimulatedTriggers(seed, NAMES, "one");
    await live(sim);
    const [first] = sim.nodes as [(typeof sim.nodes)[number]];
    for (const { key, version } of newest(sim, first)) {
      expect(sim.handled.some(isOf(key, version)), `${key} ${version}`).toBe(true);
    }
    expectOrder(sim);
  });
});

/** What a run of a replica tells comes after all that its writer had seen, whoever wrote that. */
function expectOrder({ handled, seenBy }: SimulatedTriggers): void {
  const told = new Map<number, Vector[]>();
  for (const { run, version } of handled) {
    const dot = parseDot(version);
    if (!dot) continue;
    const earlier = told.get(run) ?? [];
    const isLate = earlier.some((seen) => seen.covers(dot));
    expect(isLate, `run ${run} told ${version} after what came of it`).toBe(false);
    // What became of a delete, or of a write whose node crashed, was not heard: only its own are known.
    const own = new Vector([{ ...dot, counter: dot.counter - 1 }]);
    told.set(run, [...earlier, seenBy.get(version) ?? own]);
  }
}

test.each(["every", "one"] as const)(
  "at %s, a write is told after what its writer had seen, also where that comes a longer way",
  async (at) => {
    const sim = new SimulatedTriggers(1, NAMES, at);
    await sim.begin();
    const isTelling = ({ name }: { readonly name: string }) =>
      at === "every" ? name === "edge3" : name === sim.chosen(sim.triggerId);
    const last = sim.nodes.find(isTelling) as (typeof sim.nodes)[number];
    const [first, second] = sim.nodes.filter((node) => node !== last) as [typeof last, typeof last];
    sim.network.cut(first.index, last.index);
    for (let n = 0; n < 20; n++) {
      sim.write(first, `first${n}`, "1");
      const isSeen = () => second.serving?.get(`first${n}`) !== undefined;
      while (!isSeen()) await sim.run(1);
      sim.write(second, `second${n}`, "1");
      await sim.run(20);
    }
    sim.network.mend(first.index, last.index);
    await sim.run(10_000);
    const told = sim.handled.filter(({ node }) => node === last.name).map(({ key }) => key);
    const expected = Array.from({ length: 20 }, (_, n) => [`first${n}`, `second${n}`]).flat();
    expect(told).toEqual(expected);
    expectOrder(sim);
  },
);

test("without faults one replica tells each change once, and the others let go of it", async () => {
  const sim = new SimulatedTriggers(1, NAMES, "one");
  await sim.begin();
  for (let n = 0; n < 20; n++) {
    sim.write(sim.nodes[n % 4] as never, `key${n}`, String(n));
    await sim.run(50);
  }
  await sim.run(5000);
  expect(sim.handled.map(({ key }) => key).toSorted()).toEqual(
    Array.from({ length: 20 }, (_, n) => `key${n}`).toSorted(),
  );
  expect(new Set(sim.handled.map(({ node }) => node)).size).toBe(1);
  for (const { keygroup } of sim.nodes) {
    const pending =
      keygroup?.rows.range({ start: Buffer.from("pt"), end: Buffer.from("pu") }) ?? [];
    // The marker alone.
    expect(pending).toHaveLength(1);
  }
});

test("values that are superseded meanwhile are skipped, and old is what was told last", async () => {
  const sim = new SimulatedTriggers(1, NAMES, "every");
  sim.callMs = 400;
  await sim.begin();
  const [cloud] = sim.nodes as [(typeof sim.nodes)[number]];
  for (let n = 0; n < 40; n++) {
    sim.write(cloud, "key", String(n));
    await sim.run(50);
  }
  await sim.run(20_000);
  for (const { name } of sim.nodes) {
    const told = sim.handled.filter(({ node }) => node === name);
    expect(told.length).toBeLessThan(40);
    expect(told.at(-1)?.value).toBe("39");
    for (const [at, { old }] of told.entries()) expect(old).toBe(told[at - 1]?.value);
  }
});

test("how deep a call was that wrote is known to all replicas", async () => {
  const sim = new SimulatedTriggers(1, NAMES, "every");
  await sim.begin();
  const [cloud, edge] = sim.nodes as [(typeof sim.nodes)[number], (typeof sim.nodes)[number]];
  sim.write(cloud, "deep", "1", 7);
  await sim.run(2000);
  expect(sim.handled.map(({ depth }) => depth)).toEqual([7, 7, 7, 7]);
  sim.write(edge, "deep", "2");
  await sim.run(2000);
  expect(sim.handled.slice(4).map(({ depth }) => depth)).toEqual([0, 0, 0, 0]);
});

test("a trigger that is gone leaves nothing behind", async () => {
  const sim = new SimulatedTriggers(1, NAMES, "one");
  await sim.begin();
  sim.write(sim.nodes[0] as never, "key", "1");
  await sim.run(2000);
  sim.undeploy();
  await sim.run(2000);
  for (const { keygroup } of sim.nodes) {
    expect(keygroup?.rows.range({ start: Buffer.from("pt"), end: Buffer.from("pu") })).toEqual([]);
  }
});
