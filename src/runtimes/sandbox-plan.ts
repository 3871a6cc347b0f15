import {
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import type { GuestHost } from "./guest-host.js";
import { NOBODY_ID } from "./bubblewrap.js";

const ROOT_DIRS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/** Where the guests lie inside, wherever they are installed. */
export const PYTHON_GUEST_DIR = "/guest/python";
const NODE_GUEST_DIR = "/guest/dist";

/** What of the host every sandbox shows. */
export interface VisibleFiles {
  /** Path inside to path on the host. */
  readonly readOnly: ReadonlyMap<string, string>;
  readonly rootLinks: ReadonlyMap<string, string>;
}

/** The system's programs and libraries, and nothing that belongs to anybody. */
export function systemFiles(): VisibleFiles {
  const readOnly = new Map([["/usr", "/usr"]]);
  const rootLinks = new Map<string, string>();
  for (const dir of ROOT_DIRS) {
    if (!existsSync(dir)) continue;
    if (lstatSync(dir).isSymbolicLink()) rootLinks.set(dir, readlinkSync(dir));
    else readOnly.set(dir, dir);
  }
  return { readOnly, rootLinks };
}

/** Adds the interpreters and the guests; whatever lies in `/usr` is there already. */
export function visibleFiles(host: GuestHost): VisibleFiles {
  const system = systemFiles();
  const { node, python } = host.interpreters;
  const wanted: string[] = [];
  if (!("missing" in node)) wanted.push(interpreterRoot(realpathSync(node.path), host.runDir));
  if (!("missing" in python)) wanted.push(...python.prefixes);
  const readOnly = new Map(system.readOnly);
  for (const path of wanted) {
    if (path !== "/usr" && !path.startsWith("/usr/") && existsSync(path)) readOnly.set(path, path);
  }
  const { builtDir, manifest } = nodeGuest(host);
  readOnly.set(NODE_GUEST_DIR, builtDir);
  if (existsSync(manifest)) readOnly.set(join(dirname(NODE_GUEST_DIR), "package.json"), manifest);
  return { ...system, readOnly };
}

/** Path of the Node guest inside. */
export function nodeMainInside(host: GuestHost): string {
  return join(NODE_GUEST_DIR, relative(nodeGuest(host).builtDir, host.guests.nodeMain));
}

/** Writes the accounts that exist inside; returns their folder. */
export function writeAccounts(host: GuestHost): string {
  const dir = join(host.runDir, "accounts");
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const options = { mode: 0o644 };
  writeFileSync(
    join(dir, "passwd"),
    `nobody:x:${NOBODY_ID}:${NOBODY_ID}:nobody:/tmp:/bin/sh\n`,
    options,
  );
  writeFileSync(join(dir, "group"), `nogroup:x:${NOBODY_ID}:\n`, options);
  return dir;
}

/** The folder that the Node guest is built into, and the manifest that says that it is made of modules. */
function nodeGuest({ guests }: GuestHost): { builtDir: string; manifest: string } {
  const guestDir = dirname(guests.nodeMain);
  const builtDir = basename(guestDir) === "guest" ? dirname(guestDir) : guestDir;
  return { builtDir, manifest: join(dirname(builtDir), "package.json") };
}

/** The prefix that an interpreter is installed under, or itself where that would show too much. */
function interpreterRoot(path: string, runDir: string): string {
  if (basename(dirname(path)) !== "bin") return path;
  const prefix = dirname(dirname(path));
  const showsTooMuch =
    prefix === sep || dirname(prefix) === sep || `${runDir}/`.startsWith(`${prefix}/`);
  return showsTooMuch && prefix !== "/usr" ? path : prefix;
}
