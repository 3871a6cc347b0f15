import { accessSync, constants } from "node:fs";
import { readdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** A PATH of one folder, `dir`, with every program of this machine but those that are `hidden`. */
export async function pathWithout(dir: string, hidden: (name: string) => boolean): Promise<string> {
  const found = new Map<string, string>();
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      if (!hidden(name) && !found.has(name) && isProgram(path)) found.set(name, path);
    }
  }
  for (const [name, path] of found) await symlink(path, join(dir, name));
  return dir;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
