import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const PACKAGE_FILE = "package.json";

/**
 * The folder of this package: the nearest one above this module with a `package.json`, wherever the
 * build has put the module.
 */
const PACKAGE_DIR = ((): string => {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, PACKAGE_FILE))) folder = dirname(folder);
  return folder;
})();

/** The absolute path of something that lies in this package, such as `guest/python`. */
export function packageFile(path: string): string {
  return join(PACKAGE_DIR, path);
}

let version: string | undefined;

/** The version of this package, from its `package.json`. */
export function packageVersion(): string {
  version ??= (JSON.parse(readFileSync(packageFile(PACKAGE_FILE), "utf8")) as { version: string })
    .version;
  return version;
}
