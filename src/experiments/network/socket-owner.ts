import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** `0100007F`: 127.0.0.1 as the kernel writes it. */
const LOOPBACK = "0100007F";
/** The kernel shows its table piece by piece, and a row can slip through while others come and go. */
const LOOKS = 3;

/** A connection over loopback, as the side that was dialled sees it: `Socket.remotePort`, `Socket.localPort`. */
export interface Dialled {
  readonly remotePort?: number | undefined;
  readonly localPort?: number | undefined;
}

/**
 * Which of these processes dialled a connection, by the kernel's own tables; `undefined` if none did, or
 * it is gone. A relay learns so who dials, though TLS hides what is said.
 */
export function ownerOf(dialled: Dialled, pids: Iterable<number>): number | undefined {
  const inode = inodeOf(dialled);
  if (inode === undefined) return undefined;
  for (const pid of pids) if (hasSocket(pid, `socket:[${inode}]`)) return pid;
  return undefined;
}

function inodeOf({ remotePort, localPort }: Dialled): string | undefined {
  if (remotePort === undefined || localPort === undefined) return undefined;
  // why both ends: connections to other ports, or old ones, may come from the same port.
  const row = new RegExp(`: ${addressOf(remotePort)} ${addressOf(localPort)}(?: +\\S+){6} +(\\d+)`);
  for (let look = 0; look < LOOKS; look++) {
    const inode = row.exec(readFileSync("/proc/net/tcp", "latin1"))?.[1];
    if (inode !== undefined) return inode === "0" ? undefined : inode;
  }
  return undefined;
}

function addressOf(port: number): string {
  return `${LOOPBACK}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
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
