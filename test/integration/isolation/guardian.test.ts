import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../src/ports/logger.js";
import { acquireGuardian } from "../../../src/runtimes/guardian.js";
import {
  familyOf,
  isAlive,
  readProcesses,
  trySignal,
} from "../../../src/runtimes/process-table.js";

const ROOT = join(import.meta.dirname, "../../..");
const GONE_WITHIN_MS = 5_000;

let dataDir: string;
let children: ChildProcess[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "enoki-guardian-"));
});

afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children = [];
  rmSync(dataDir, { recursive: true, force: true });
});

describe("after a kill -9 of the node", () => {
  for (const limits of ["auto", "watched"]) {
    it(`nothing of it is left within 5 s, and a new node takes over at once (${limits})`, async () => {
      const node = startDoomedNode(limits);
      await firstLine(node);
      const family = familyOf(new Set([node.pid!]), readProcesses()).filter(
        ({ pid }) => pid !== node.pid,
      );
      expect(family.length).toBeGreaterThanOrEqual(6);

      node.kill("SIGKILL");
      const killedAt = performance.now();
      const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
      expect(performance.now() - killedAt).toBeLessThan(GONE_WITHIN_MS);
      // The lock was held for as long as anything lived.
      expect(family.filter(({ pid }) => isAlive(pid))).toEqual([]);
      await guardian.release();
    });
  }

  it("a second node is refused while the first lives, with its process id", async () => {
    const node = startDoomedNode("watched");
    await firstLine(node);
    await expect(acquireGuardian({ dataDir, logger: silentLogger })).rejects.toMatchObject({
      code: "ENOKI_DATA_DIR_IN_USE",
      message: expect.stringContaining(`${node.pid}`),
    });
  });
});

describe("a guardian", () => {
  it("refuses a second node of the same process", async () => {
    const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
    await expect(acquireGuardian({ dataDir, logger: silentLogger })).rejects.toMatchObject({
      code: "ENOKI_DATA_DIR_IN_USE",
    });
    await guardian.release();
    const next = await acquireGuardian({ dataDir, logger: silentLogger });
    await next.release();
  });

  it("ends what is registered, and only that, when it is released", async () => {
    const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
    const [kept, removed] = [startSleep(), startSleep()];
    guardian.add(kept.pid!);
    guardian.add(removed.pid!);
    guardian.remove(removed.pid!);
    await guardian.release();
    await until(() => !isAlive(kept.pid!));
    expect(isAlive(removed.pid!)).toBe(true);
  });

  it("that dies while it is released is replaced to end what is registered", async () => {
    const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
    const sleep = startSleep();
    guardian.add(sleep.pid!);
    // The node has not heard of its death yet.
    trySignal(guardianPid(), "SIGKILL");
    await guardian.release();
    await until(() => !isAlive(sleep.pid!));
    await until(() => guardianPid() === 0);
  });

  it("is replaced when it dies, and the new one knows everything", async () => {
    const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
    const sleep = startSleep();
    guardian.add(sleep.pid!);
    const first = guardianPid();
    trySignal(first, "SIGKILL");
    await until(() => !isAlive(first));
    await until(() => guardianPid() > 0 && guardianPid() !== first);
    await guardian.release();
    await until(() => !isAlive(sleep.pid!));
  });
});

/** The shell that holds this test's lock; 0 while there is none. */
function guardianPid(): number {
  const inode = statSync(join(dataDir, "lock")).ino;
  const line = readFileSync("/proc/locks", "utf8")
    .split("\n")
    .find((candidate) => candidate.includes(`:${inode} `));
  return Number(line?.trim().split(/\s+/)[4] ?? 0);
}

function startSleep(): ChildProcess {
  const child = spawn("sleep", ["1000"], { stdio: "ignore", detached: true });
  children.push(child);
  return child;
}

function startDoomedNode(limits: string): ChildProcess {
  const script = join(import.meta.dirname, "doomed-node.ts");
  const child = spawn(process.execPath, ["--import", "tsx", script, dataDir, limits], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout!.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    child.once("exit", (code) => reject(new Error(`the node ended with ${code}`)));
  });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("the condition was not met within 5 s");
    await delay(10);
  }
}
