import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The controllers that limits need; only memory is indispensable. */
export type Controller = "memory" | "pids" | "cpu";

/** Where one node keeps the control groups of its instances. */
export interface CgroupHome {
  readonly version: 1 | 2;
  /** One directory per controller; in version 2 all name the same one. */
  readonly dirs: ReadonlyMap<Controller, string>;
}

/** The files that say where this process is, for tests to replace. */
export interface CgroupFiles {
  /** Text of `/proc/self/mountinfo`. */
  readonly mountInfo: string;
  /** Text of `/proc/self/cgroup`. */
  readonly ownCgroup: string;
}

const CONTROLLERS: readonly Controller[] = ["memory", "pids", "cpu"];

/** Name of a node's groups and mark of its processes: its own, so that only its own are ever ended. */
export function nodeMark(runDir: string): string {
  return `enoki-${createHash("sha256").update(runDir).digest("hex").slice(0, 16)}`;
}

/** Reads both files; empty texts where the system has no control groups. */
export function readCgroupFiles(): CgroupFiles {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  };
  return { mountInfo: read("/proc/self/mountinfo"), ownCgroup: read("/proc/self/cgroup") };
}

/**
 * Makes this node's parent groups, below the groups that the node is in itself, so that a limit on
 * the node binds its functions too. Undefined where no memory controller is writable.
 */
export function openCgroupHome(
  name: string,
  files: CgroupFiles = readCgroupFiles(),
): CgroupHome | undefined {
  return openUnified(name, files) ?? openPerController(name, files);
}

/** Directory of this process per controller, by cgroup v1. */
export function controllerDirs(files: CgroupFiles): Map<Controller, string> {
  const own = new Map<string, string>();
  for (const line of files.ownCgroup.split("\n")) {
    const [, names = "", path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of names.split(",")) if (controller !== "") own.set(controller, path);
  }
  const dirs = new Map<Controller, string>();
  for (const mount of parseMounts(files.mountInfo)) {
    if (mount.type !== "cgroup") continue;
    for (const controller of CONTROLLERS) {
      if (!mount.options.includes(controller)) continue;
      dirs.set(controller, join(mount.point, relativeTo(mount.root, own.get(controller) ?? "/")));
    }
  }
  return dirs;
}

/** Directory of this process in the unified hierarchy. */
export function unifiedDir(files: CgroupFiles): string | undefined {
  const mount = parseMounts(files.mountInfo).find((candidate) => candidate.type === "cgroup2");
  const own = /^0::(.*)$/m.exec(files.ownCgroup)?.[1];
  return mount === undefined || own === undefined
    ? undefined
    : join(mount.point, relativeTo(mount.root, own));
}

function openPerController(name: string, files: CgroupFiles): CgroupHome | undefined {
  const dirs = new Map<Controller, string>();
  for (const [controller, own] of controllerDirs(files)) {
    const dir = join(own, name);
    if (tryMakeGroup(dir)) dirs.set(controller, dir);
  }
  return dirs.has("memory") ? { version: 1, dirs } : undefined;
}

function openUnified(name: string, files: CgroupFiles): CgroupHome | undefined {
  const own = unifiedDir(files);
  if (own === undefined || !controllersOf(own).includes("memory")) return undefined;
  if (!canDelegate(own)) return undefined;
  const dir = join(own, name);
  if (!tryMakeGroup(dir)) return undefined;
  const wanted = controllersOf(dir).filter((controller) =>
    CONTROLLERS.includes(controller as Controller),
  );
  if (!wanted.includes("memory") || !tryEnable(dir, wanted)) {
    rmdirSync(dir);
    return undefined;
  }
  return { version: 2, dirs: new Map(wanted.map((controller) => [controller as Controller, dir])) };
}

/**
 * Lets groups below `own` have controllers. A group with processes may not do that (the root apart),
 * so a node that is alone in its group moves one level down first; that is what `Delegate=yes` is for.
 */
function canDelegate(own: string): boolean {
  const wanted = controllersOf(own).filter((controller) =>
    CONTROLLERS.includes(controller as Controller),
  );
  if (tryEnable(own, wanted)) return true;
  const members = readText(join(own, "cgroup.procs")).trim().split("\n");
  if (members.length !== 1 || members[0] !== `${process.pid}`) return false;
  const leaf = join(own, "enoki-node");
  return (
    tryMakeGroup(leaf) &&
    tryWrite(join(leaf, "cgroup.procs"), `${process.pid}`) &&
    tryEnable(own, wanted)
  );
}

function tryEnable(dir: string, controllers: readonly string[]): boolean {
  const enabled = readText(join(dir, "cgroup.subtree_control")).trim().split(" ");
  const missing = controllers.filter((controller) => !enabled.includes(controller));
  return (
    missing.length === 0 ||
    tryWrite(join(dir, "cgroup.subtree_control"), missing.map((c) => `+${c}`).join(" "))
  );
}

function controllersOf(dir: string): string[] {
  return readText(join(dir, "cgroup.controllers")).trim().split(" ");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}

function tryMakeGroup(dir: string): boolean {
  try {
    accessSync(dirname(dir), constants.W_OK);
    mkdirSync(dir, { recursive: true });
    accessSync(join(dir, "cgroup.procs"), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

function parseMounts(mountInfo: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of mountInfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, point] = before.split(" ");
    const [type, , options] = after.split(" ");
    if (root === undefined || point === undefined || type === undefined) continue;
    mounts.push({ root, point, type, options: (options ?? "").split(",") });
  }
  return mounts;
}

/** A mount shows the hierarchy from `root` on. */
function relativeTo(root: string, path: string): string {
  if (root === "/") return path;
  return path === root || path.startsWith(`${root}/`) ? path.slice(root.length) || "/" : path;
}
