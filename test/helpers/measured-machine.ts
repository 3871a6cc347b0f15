import type { Machine } from "../../src/bench/machine.js";

/** A machine as reports name it, which others left alone. */
export const MACHINE: Machine = {
  date: "2026-01-31",
  commit: "abc1234",
  cpu: "A CPU",
  cores: 2,
  memoryGb: 8,
  kernel: "Linux 6.1 x64",
  node: "v20.19.0",
  python: "3.11.2",
  wrk: "4.1.0",
  connections: 32,
  syncMs: 0.5,
  busyShare: 0.01,
};
