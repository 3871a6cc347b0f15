import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** `0100007F`: 127.0.0.1 as the kernel writes it. */
const LOOPBACK = "0100007F";

/**
 * Which of these processes holds the loopback connection that comes from `port`, by the kernel's own
 * tables; `undefined` once it is gone. A relay learns so who dials, though TLS hides what is said.
 */
export function ownerOf(port: number, pids: Iterable<number>): number | undefined {
  const local = `${LOOPBACK}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "latin1").split("\n");
  const row = rows.map((line) => line.trim().split(/\s+/)).find((cells) => cells[1] === local);
  const inode = row?.[9];
  if (inode === undefined || inode === "0") return undefined;
  for (const pid of pids) if (hasSocket(pid, `socket:[${inode}]`)) return pid;
  return undefined;
}

function hasSocket(pid: number, name: string): boolean {
  const dir = `/proc/${pid}/fd`;
  try {
    return readdirSync(dir).some((fd) => linkOf(`${dir}/${fd}`) === name);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
