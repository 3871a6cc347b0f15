import { array, assert, asyncProperty, constantFrom, nat, record, scheduler } from "fast-check";
import { expect, test } from "vitest";

import type { Directory } from "../../src/cluster/directory.js";
import { decodeRecord } from "../../src/cluster/record-codec.js";
import type { ClusterFunctionRecord, KeygroupRecord } from "../../src/cluster/records.js";
import { isNewer } from "../../src/cluster/view.js";
import { EnokiError } from "../../src/core/errors.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../../src/core/ids.js";
import { type MemoryNaming, MemoryNamingService } from "../../src/naming/memory.js";
import type { NamingCheck, NamingWrite } from "../../src/ports/naming.js";
import type { Timers } from "../../src/ports/timers.js";
import { DEFAULTS, startDirectory } from "../helpers/directories.js";

const RUNS = Number(process.env["ENOKI_PROPERTY_RUNS"] ?? 150);
const SEED = Number(process.env["ENOKI_PROPERTY_SEED"] ?? 20_261_126);

const NAMES = ["a", "b", "c"] as const;
const nodes = NAMES.map((name) => parseNodeName(name));
const keygroup = parseKeygroupName("k");
const deployed = parseFunctionName("f");

/** Remembers every state of a record that there ever was. */
class RecordedService extends MemoryNamingService {
  readonly keygroups: KeygroupRecord[] = [];
  readonly functions: ClusterFunctionRecord[] = [];

  override apply(
    checks: readonly NamingCheck[],
    writes: readonly NamingWrite[],
    holder: MemoryNaming,
  ): boolean {
    const isDone = super.apply(checks, writes, holder);
    for (const { key, value } of isDone ? writes : []) {
      const any = value === undefined ? undefined : decodeRecord(key, value);
      if (any?.kind === "keygroup") this.keygroups.push(any.record);
      if (any?.kind === "function") this.functions.push(any.record);
    }
    return isDone;
  }
}

interface Step {
  readonly what: string;
  readonly at: number;
  readonly other: number;
}

/** What is twice in it comes more often. */
const WHAT =
  "join join create leave remove add rejoin configure move drop deploy deploy undeploy cut heal stop start".split(
    " ",
  );

const steps = array(
  record({
    what: constantFrom(...WHAT),
    at: nat(2),
    other: nat(2),
  }),
  { minLength: 2, maxLength: 14 },
);

let deploys = 0;

async function run(
  { what, at, other }: Step,
  cluster: {
    readonly service: RecordedService;
    readonly namings: readonly MemoryNaming[];
    readonly directories: readonly Directory[];
  },
): Promise<unknown> {
  const { service, namings, directories } = cluster;
  const { control, view } = directories[at] as Directory;
  const node = nodes[other] as (typeof nodes)[number];
  const epoch = view.keygroup(keygroup)?.members.find((member) => member.node === nodes[at])?.epoch;
  switch (what) {
    case "join":
      return control.joinKeygroup(keygroup, DEFAULTS);
    case "create":
      return control.createKeygroup(keygroup, DEFAULTS);
    case "leave":
      return control.removeMember(keygroup, nodes[at] as (typeof nodes)[number]);
    case "remove":
      return control.removeMember(keygroup, node);
    case "add":
      return control.addMember(keygroup, node, "relaxed");
    case "rejoin":
      return control.rejoinKeygroup(keygroup, epoch ?? 1);
    case "configure":
      return control.configureKeygroup(keygroup, { ttlMs: at + other });
    case "move":
      return control.moveKeygroup(keygroup, { kind: "at", node }, "relaxed");
    case "drop":
      return control.dropKeygroup(keygroup);
    case "deploy": {
      const deploy = { deploy: `d${deploys++}`, source: `x${other}`, runtime: "python" };
      return control.deployFunction(
        deployed,
        { ...deploy, config: {}, deployedAtMs: 1 },
        { nodes: [node] },
      );
    }
    case "undeploy":
      return control.removeFunction(deployed);
    case "cut":
      return namings[at]?.setConnected(false);
    case "heal":
      return namings[at]?.setConnected(true);
    default:
      return service.setReachable(what === "start");
  }
}

/** Expects that no keygroup goes back in what a directory tells. */
function holdOrder(directory: Directory): void {
  let last: KeygroupRecord | undefined;
  directory.subscribe({
    keygroupChanged: (name) => {
      const next = directory.view.keygroup(name) as KeygroupRecord;
      const known = last && ({ kind: "keygroup", record: last } as const);
      expect(isNewer({ kind: "keygroup", record: next }, known)).toBe(true);
      last = next;
    },
  });
}

/** Checks every step of a keygroup's history. */
function checkHistory(history: readonly KeygroupRecord[]): void {
  for (const [index, next] of history.entries()) {
    const before = history[index - 1];
    if (before === undefined) {
      expect(next).toMatchObject({ serial: 1, generation: 1, epoch: 1 });
      continue;
    }
    expect(next.serial).toBe(before.serial + 1);
    expect(next.generation - before.generation).toBe(before.isDropped ? 1 : 0);
    if (next.generation > before.generation) {
      expect(next.epoch).toBe(1);
      continue;
    }
    const names = ({ members }: KeygroupRecord): string =>
      members.map(({ node, epoch }) => `${node}@${epoch}`).join();
    expect(next.epoch - before.epoch).toBe(names(next) === names(before) ? 0 : 1);
    for (const { epoch } of next.isDropped ? [] : before.members) {
      const isKept = next.members.some((member) => member.epoch === epoch);
      expect(isKept || next.past.includes(epoch), "no member vanishes without a trace").toBe(true);
    }
  }
}

test("whatever nodes do at once, in any order, with cuts: one history, and all end with its last state", async () => {
  const property = asyncProperty(scheduler(), steps, async (scheduler, plan) => {
    const timers: Timers = {
      after: (_delayMs, work) => {
        let isOff = false;
        void scheduler.schedule(Promise.resolve("timer")).then(() => isOff || work());
        return () => (isOff = true);
      },
    };
    const service = new RecordedService({ timers });
    const namings = nodes.map(() => service.connect());
    const directories = await Promise.all(
      NAMES.map((name, index) => startDirectory(name, namings[index] as MemoryNaming, { timers })),
    );
    for (const directory of directories) holdOrder(directory);
    const work = plan.map(async (step) => {
      await scheduler.schedule(Promise.resolve(step.what));
      await run(step, { service, namings, directories }).catch((error: unknown) => {
        if (!(error instanceof EnokiError) || error.code === "ENOKI_INTERNAL") throw error;
      });
    });
    await scheduler.waitFor(Promise.all(work));
    service.setReachable(true);
    for (const naming of namings) naming.setConnected(true);
    const isSettled = (): boolean =>
      directories.every(
        ({ view }) =>
          view.keygroup(keygroup)?.serial === service.keygroups.at(-1)?.serial &&
          view.function(deployed)?.serial === service.functions.at(-1)?.serial &&
          view.nodes().filter(({ isPresent }) => isPresent).length === NAMES.length,
      );
    for (let turns = 0; !isSettled() && turns < 5000; turns++) {
      if (scheduler.count() === 0) await new Promise((resolve) => setImmediate(resolve));
      else await scheduler.waitOne();
    }
    expect(isSettled()).toBe(true);
    checkHistory(service.keygroups);
    expect(service.functions.map(({ serial }) => serial)).toEqual(
      service.functions.map((_, index) => index + 1),
    );
    const numbers = service.functions.flatMap(({ revisions }) => revisions);
    const byNumber = new Map(numbers.map(({ number, deploy }) => [number, deploy]));
    for (const { number, deploy } of numbers) expect(byNumber.get(number)).toBe(deploy);
    for (const directory of directories) {
      expect(directory.view.keygroup(keygroup)).toEqual(service.keygroups.at(-1));
    }
    await scheduler.waitFor(Promise.all(directories.map((directory) => directory.close())));
  });
  await assert(property, { numRuns: RUNS, seed: SEED });
});
