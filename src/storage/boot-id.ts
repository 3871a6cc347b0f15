import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

/**
 * Returns what tells this run of the operating system from every other: what the page cache held in
 * another one may be lost. Where the system cannot say, each process counts as a run of its own,
 * which is safe, but then a kill loses what no sync covered.
 */
export function readBootId(): string {
  try {
    if (process.platform === "darwin") {
      return execFileSync("/usr/sbin/sysctl", ["-n", "kern.bootsessionuuid"], {
        encoding: "utf8",
      }).trim();
    }
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return randomUUID();
  }
}
