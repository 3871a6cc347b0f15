import { availableParallelism } from "node:os";

import { defineConfig } from "vitest/config";

/** All processors: by default one is left idle, which on a small machine is half of it. */
const maxWorkers = availableParallelism();

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
          // A process per file takes longer than most files; what replaces modules is a system test.
          isolate: false,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
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
