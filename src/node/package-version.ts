import { readFileSync } from "node:fs";

let version: string | undefined;

/** The version of this package, from its `package.json`. */
export function packageVersion(): string {
  if (version === undefined) {
    const url = new URL("../../package.json", import.meta.url);
    version = (JSON.parse(readFileSync(url, "utf8")) as { version: string }).version;
  }
  return version;
}
