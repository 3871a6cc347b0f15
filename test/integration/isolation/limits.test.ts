import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Isolation } from "../../../src/ports/runtime.js";
import {
  nodeMark,
  controllerDirs,
  readCgroupFiles,
} from "../../../src/runtimes/cgroup-location.js";
import { readProcesses } from "../../../src/runtimes/process-table.js";
import { probeSandbox } from "../../../src/runtimes/sandbox-probe.js";
import { eventuallyTrue } from "../../helpers/eventually.js";
import { LANGUAGES, loadAttack, openBench, ROOMY, type Bench } from "./support.js";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const PIDS_MAX = 64;
const [PYTHON, NODE, BINARY] = LANGUAGES;

const sandbox = await probeSandbox();
const ISOLATIONS: Isolation[] = "missing" in sandbox ? ["process"] : ["process", "sandbox"];

const probe = await openBench({ limits: "auto" });
const { memoryLimit } = probe.launcher.report;
await probe.close();
/** Why control groups hold nothing here, for the title of what is skipped; empty if they do. */
const CGROUPS_MISSING = memoryLimit.startsWith("cgroup")
  ? ""
  : ": needs control groups that this user may write; run it as root";

describe.skipIf("missing" in sandbox)(
  "limits in a sandbox need bubblewrap: `npm run setup`",
  () => {
    it("has it", () => expect("path" in sandbox).toBe(true));
  },
);

for (const limits of ["auto", "watched"] as const) {
  describe(`limits held by ${limits === "auto" ? "control groups" : "watching"}`, () => {
    let bench: Bench;

    beforeAll(async () => {
      bench = await openBench({ limits });
    });

    afterAll(() => bench?.close());

    const hasCgroups = limits === "auto" && CGROUPS_MISSING === "";

    for (const isolation of ISOLATIONS) {
      for (const language of [PYTHON, NODE]) {
        it(`ends 1 GiB under 128 MiB as oom: ${language.runtime}, ${isolation}`, async () => {
          const loaded = await loadAttack(bench, {
            language,
            isolation,
            limits: { ...ROOMY, memoryBytes: 128 * MIB },
          });
          expect(await loaded.call(`allocate ${GIB}`)).toBe("died oom");
        });
      }

      it(`ends 1 GiB in a program of a binary as oom: ${isolation}`, async () => {
        const loaded = await loadAttack(bench, {
          language: BINARY,
          isolation,
          limits: { ...ROOMY, memoryBytes: 128 * MIB },
        });
        await loaded.call(`allocate ${GIB}`);
        expect((await loaded.guest.exited).reason).toBe("oom");
      });

      it(`names oom when it is told to end what has run out of memory: ${isolation}`, async () => {
        const loaded = await loadAttack(bench, {
          language: PYTHON,
          isolation,
          limits: { ...ROOMY, memoryBytes: 128 * MIB },
        });
        void loaded.call(`allocate ${GIB}`);
        await new Promise((resolve) => {
          loaded.guest.channel.once("close", resolve);
        });
        expect((await loaded.guest.kill(0)).reason).toBe("oom");
      });

      for (const language of LANGUAGES) {
        it(`bounds a fork bomb and leaves nothing of it: ${language.runtime}, ${isolation}`, async () => {
          const marker = nextMarker();
          const loaded = await loadAttack(bench, {
            language,
            isolation,
            limits: { ...ROOMY, pidsMax: PIDS_MAX },
          });
          const ended = loaded.guest.exited.then(() => true);
          void loaded.call(`bomb ${marker}`);
          let most = 0;
          while (most < PIDS_MAX / 2) {
            most = Math.max(most, countSleepers(marker));
            if (await Promise.race([ended, delay(5, false)])) break;
          }
          if (hasCgroups) {
            await delay(300);
            expect(countSleepers(marker)).toBeLessThan(PIDS_MAX);
            await loaded.guest.kill(0);
          } else {
            expect((await loaded.guest.exited).reason).toBe("pids");
          }
          expect(countSleepers(marker)).toBe(0);
        });

        it(`kills an endless loop: ${language.runtime}, ${isolation}`, async () => {
          const loaded = await loadAttack(bench, { language, isolation });
          const answer = loaded.call("spin");
          const exit = await loaded.guest.kill(100);
          expect(exit).toMatchObject({ reason: "killed" });
          expect(await answer).toBe("died killed");
        });

        it(`kills what does not heed SIGTERM, with its children: ${language.runtime}, ${isolation}`, async () => {
          const marker = nextMarker();
          const loaded = await loadAttack(bench, { language, isolation });
          const answer = loaded.call(`stubborn ${marker}`);
          await eventuallyTrue(() => countSleepers(marker) === 1);
          const exit = await loaded.guest.kill(100);
          expect(exit).toMatchObject({ reason: "killed" });
          expect(await answer).toBe("died killed");
          expect(countSleepers(marker)).toBe(0);
        });
      }
    }

    // why: watching holds no CPU limit, so that there is nothing to test, and nothing skipped.
    if (limits === "auto") {
      for (const isolation of ISOLATIONS) {
        // Of a binary the loop is in a program that its guest starts.
        it.skipIf(!hasCgroups)(`holds a CPU limit: ${isolation}${CGROUPS_MISSING}`, async () => {
          const loaded = await Promise.all(
            [PYTHON, BINARY].map((language) =>
              loadAttack(bench, { language, isolation, limits: { ...ROOMY, cpus: 0.2 } }),
            ),
          );
          for (const { call } of loaded) void call("spin");
          const roots = loaded.map(({ guest }) => guest.pid);
          const before = roots.map(treeTicks);
          await delay(1000);
          const used = roots.map((pid, i) => treeTicks(pid) - (before[i] as number));
          for (const { guest } of loaded) await guest.kill(0);
          for (const ticks of used) {
            expect(ticks).toBeGreaterThan(0);
            expect(ticks).toBeLessThan(40);
          }
        });
      }
    }

    it("leaves no control group behind", async () => {
      const loaded = await loadAttack(bench, { language: NODE, isolation: "process" });
      const ours = (): string[] =>
        [...controllerDirs(readCgroupFiles()).values()].filter((dir) =>
          readdirSync(dir).includes(nodeMark(join(bench.dataDir, "run"))),
        );
      if (hasCgroups && controllerDirs(readCgroupFiles()).size > 0) expect(ours()).not.toEqual([]);
      await loaded.guest.kill(0);
      await bench.close();
      expect(ours()).toEqual([]);
    });
  });
}

let markersTotal = 0;

/** How long the processes of one bomb sleep, in seconds: tells them from all others. */
function nextMarker(): string {
  return `1000.${process.pid}${++markersTotal}`;
}

/** Hundredths of a second of CPU time of a process and its descendants. */
function treeTicks(root: number): number {
  const processes = readProcesses();
  const tree = new Set([root]);
  for (let size = 0; size < tree.size;) {
    size = tree.size;
    for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid);
  }
  return [...tree].reduce((sum, pid) => sum + cpuTicks(pid), 0);
}

/** Hundredths of a second of CPU time. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function countSleepers(marker: string): number {
  return readProcesses().filter(({ pid, state }) => {
    if (state === "Z") return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(`sleep\0${marker}\0`);
    } catch {
      return false;
    }
  }).length;
}
