import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { PATH } from "./daemon.js";
import { SYSTEMS, type Component, type System, type SystemName } from "./systems.js";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** A system on this machine. */
export type Availability =
  | { readonly isAvailable: true; readonly versions: readonly string[] }
  | { readonly isAvailable: false; readonly reason: string };

/** Looks whether all of a system is there. `packages`: folder of what came from npm, if it came. */
export function inspect(name: SystemName, packages: string | undefined): Availability {
  const system: System = SYSTEMS[name];
  if (process.platform !== "linux") return { isAvailable: false, reason: "needs Linux" };
  const versions: string[] = [];
  for (const component of system.components) {
    const version = versionOf(component, packages);
    if (version === undefined) return { isAvailable: false, reason: reasonFor(component) };
    versions.push(`${component.name} ${version}`);
  }
  return { isAvailable: true, versions };
}

function versionOf({ name, from }: Component, packages: string | undefined): string | undefined {
  switch (from) {
    case "npm":
      return packages && packageVersion(join(packages, "node_modules", name));
    case "Debian":
      return debianVersion(name);
    case "this project":
      return packageVersion(name === "enoki" ? PROJECT : join(PROJECT, "node_modules", name));
  }
}

function packageVersion(folder: string): string | undefined {
  try {
    const json = readFileSync(join(folder, "package.json"), "utf8");
    return (JSON.parse(json) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** Of a package that is named like its program. */
function debianVersion(name: string): string | undefined {
  const env = { ...process.env, PATH };
  if (spawnSync(name, ["--version"], { stdio: "ignore", env }).error) return undefined;
  const query = ["-W", "-f=${Version}", name];
  const { stdout, status } = spawnSync("dpkg-query", query, { encoding: "utf8" });
  return status === 0 && stdout !== "" ? stdout : "of unknown version";
}

function reasonFor({ name, from }: Component): string {
  if (from === "Debian") return `${name} is missing; npm run setup -- --peers installs it`;
  return `${name} could not be fetched from npm`;
}
