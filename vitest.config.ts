import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { delimiter } from "node:path";

import { defineConfig } from "vitest/config";

/** All processors: by default one is left idle, which on a small machine is half of it. */
const maxWorkers = availableParallelism();

/**
 * The search path with Python's own folder in front: where `python3` is a script that looks for the right
 * Python (pyenv does so), each of the hundreds of nodes that tests start would run it again.
 */
const PATH = [pythonDir(), process.env["PATH"]].filter(Boolean).join(delimiter);

function pythonDir(): string | undefined {
  const code = "import os, sys; print(os.path.dirname(os.path.realpath(sys.executable)))";
  try {
    return execFileSync("python3", ["-I", "-S", "-c", code], { encoding: "utf8" }).trim();
  } catch {
    // What needs Python says itself that there is none.
    return undefined;
  }
}

/** Three projects: `fast` needs nothing but Node; `system` starts real processes; `docs` checks the pages. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/{unit,property}/**/*.test.ts"],
          testTimeout: 30_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // They wait more than they compute: for nodes, timeouts, disks.
          maxWorkers,
          env: { PATH },
        },
      },
      {
        test: {
          name: "docs",
          include: ["test/docs/**/*.test.ts"],
          testTimeout: 60_000,
          maxWorkers,
        },
      },
    ],
  },
});
