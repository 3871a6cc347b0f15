import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundlePrograms, type Programs, run } from "./programs.js";

/** What the filler prints. */
interface Report {
  readonly written: number;
  readonly failures: readonly string[];
  readonly readableWhenFull: number;
  readonly rowsWhenFull: number;
  readonly failureAfterSpace?: string;
  readonly readableAfterSpace: number;
  readonly rowsReopened: number;
}

const obstacle = whyNoMount();

describe.skipIf(obstacle)(
  `a store on a full disk${obstacle ? ` (skipped: ${obstacle})` : ""}`,
  () => {
    let programs: Programs;
    beforeAll(async () => {
      programs = await bundlePrograms(["disk-filler"]);
    });
    afterAll(() => programs.remove());

    it.each([100, 5000, 60_000, 1_500_000])(
      "refuses values of %i bytes with ENOKI_DISK_FULL, reads on, and writes on once there is space",
      async (sizeBytes) => {
        const report = await withSmallDisk(async (disk) => {
          const output = await run(process.execPath, [
            programs.path("disk-filler"),
            disk,
            String(sizeBytes),
          ]);
          return JSON.parse(output) as Report;
        });
        const { written, failures } = report;
        expect(written).toBeGreaterThan(0);
        expect(new Set(failures)).toEqual(new Set(["ENOKI_DISK_FULL"]));
        expect(report.readableWhenFull).toBe(written);
        expect(report.rowsWhenFull).toBe(2 * written);
        expect(report.failureAfterSpace).toBeUndefined();
        expect(report.readableAfterSpace).toBe(written + 1);
        expect(report.rowsReopened).toBe(2 * written + 2);
      },
    );
  },
);

function whyNoMount(): string | undefined {
  if (process.platform !== "linux") return "a small disk is mounted on Linux only";
  if (process.getuid?.() !== 0) return "mounting a small disk needs root";
  const point = mkdtempSync(join(tmpdir(), "enoki-mount-"));
  try {
    const { error, status, stderr } = mount(point);
    if (error || status !== 0)
      return `a small disk cannot be mounted: ${error?.message ?? String(stderr).trim()}`;
    spawnSync("umount", [point]);
    return undefined;
  } finally {
    rmdirSync(point);
  }
}

async function withSmallDisk<T>(work: (disk: string) => Promise<T>): Promise<T> {
  const point = mkdtempSync(join(tmpdir(), "enoki-disk-"));
  try {
    expect(mount(point).status).toBe(0);
    return await work(point);
  } finally {
    spawnSync("umount", [point]);
    rmdirSync(point);
  }
}

function mount(point: string): ReturnType<typeof spawnSync> {
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=12m", "enoki-test", point]);
}
