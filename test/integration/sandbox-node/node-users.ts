import { spawnSync } from "node:child_process";
import { cp, chmod } from "node:fs/promises";
import { join, relative } from "node:path";

import type { ChildNode, Nursery, UpOptions } from "../node/child-node.js";
import { SANDBOX_MISSING } from "./support.js";

const PROJECT_DIR = join(import.meta.dirname, "../../..");
const CLI = "dist/cli/main.js";

/** An ordinary user without an account. */
const ORDINARY_USER_ID = 54_321;

/** Whose node a test runs, and why it cannot; `id` undefined = the user who runs the tests. */
export interface NodeUser {
  readonly title: string;
  readonly id: number | undefined;
  readonly missing: string;
}

/**
 * Who a node with sandboxes is started as. Root starts them without user namespaces, so root tests
 * an ordinary user's way too.
 */
export const NODE_USERS: readonly NodeUser[] =
  process.getuid?.() === 0
    ? [
        { title: "root's node", id: undefined, missing: SANDBOX_MISSING },
        { title: "an ordinary user's node", id: ORDINARY_USER_ID, missing: ordinaryMissing() },
      ]
    : [{ title: "an ordinary user's node", id: undefined, missing: SANDBOX_MISSING }];

/** Starts a node as a user; if need be from a copy of the program that the user can read. */
export async function startAs(
  nursery: Nursery,
  { id }: NodeUser,
  options: UpOptions = {},
): Promise<ChildNode> {
  const dataDir = await nursery.dir();
  if (id === undefined) return await nursery.start(dataDir, options);
  const user = { ...options, userId: id };
  if (canRun(process.execPath, join(PROJECT_DIR, CLI), "--version"))
    return await nursery.start(dataDir, user);
  return await nursery.start(dataDir, { ...user, cli: await copyProgram(await nursery.dir()) });
}

/** Why an ordinary user can run no node with sandboxes here. */
function ordinaryMissing(): string {
  if (SANDBOX_MISSING !== "") return SANDBOX_MISSING;
  const hasNamespaces = canRun("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true");
  return hasNamespaces ? "" : ": only root can make namespaces here";
}

/** Whether an ordinary user can run a command to its good end. */
function canRun(command: string, ...args: readonly string[]): boolean {
  const user = { uid: ORDINARY_USER_ID, gid: ORDINARY_USER_ID, cwd: "/" };
  return spawnSync(command, args, { ...user, stdio: "ignore" }).status === 0;
}

/** Copies what is shipped and the packages that it needs; returns the copy's command line. */
async function copyProgram(dir: string): Promise<string> {
  await chmod(dir, 0o755);
  const packages = spawnSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], {
    cwd: PROJECT_DIR,
    encoding: "utf8",
  });
  const found = packages.stdout.trim().split("\n");
  const needed = found.map((path) => relative(PROJECT_DIR, path)).filter((path) => path !== "");
  for (const path of ["dist", "guest", "package.json", ...needed]) {
    await cp(join(PROJECT_DIR, path), join(dir, path), { recursive: true });
  }
  return join(dir, CLI);
}
