import { stat } from "node:fs/promises";
import { join } from "node:path";

import { EnokiError } from "../../core/errors.js";
import { readManifest } from "../source/package-main.js";
import { lastLines, runCommand } from "./run-command.js";
import type { Build } from "./types.js";

const LOCK_FILES = ["package-lock.json", "npm-shrinkwrap.json"];

/** Scripts of packages never run; what is only needed for development is left out. */
const INSTALL_FLAGS = ["--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"];

/**
 * Installs the npm packages that `dir/package.json` depends on into `dir`: as the lock file says,
 * else as uploaded in `node_modules`, else the newest that fit, which the log then mentions.
 * npm's own configuration decides where packages come from.
 * @throws EnokiError `ENOKI_BUILD_FAILED` with npm's last lines
 */
export async function installPackages(dir: string, request: Build): Promise<void> {
  const manifest = await readManifest(dir);
  if (manifest === undefined) return;
  if (!hasMembers(manifest.dependencies) && !hasMembers(manifest.optionalDependencies)) return;

  const hasLock = await anyExists(dir, LOCK_FILES);
  if (!hasLock && (await anyExists(dir, ["node_modules"]))) {
    request.log("There is no package-lock.json; the uploaded node_modules are used as they are.");
    return;
  }
  if (!hasLock) {
    request.log(
      "There is no package-lock.json: npm picks the newest fitting packages, so this build cannot be repeated exactly.",
    );
  }
  const command = hasLock ? "ci" : "install";
  request.log(`$ npm ${command} ${INSTALL_FLAGS.join(" ")}`);
  const { exitCode, output } = await runCommand({
    program: "npm",
    args: [command, ...INSTALL_FLAGS],
    cwd: dir,
    signal: request.signal,
  });
  if (exitCode === 127) {
    throw new EnokiError(
      "ENOKI_BUILD_FAILED",
      "the function has npm dependencies, but npm is not on the node's PATH",
    );
  }
  if (exitCode !== 0) {
    throw new EnokiError("ENOKI_BUILD_FAILED", `npm ${command} failed\n${lastLines(output)}`);
  }
  request.log(output.trimEnd());
}

function hasMembers(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

async function anyExists(dir: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    if ((await stat(join(dir, name)).catch(() => undefined)) !== undefined) return true;
  }
  return false;
}
