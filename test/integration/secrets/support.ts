import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import type { FunctionFiles } from "../../helpers/node-calls.js";

/** Functions that know a secret, by runtime. `value` gives it, `leak` prints it and fails with it. */
export const KEEPERS: Readonly<Record<string, FunctionFiles>> = {
  node: {
    "index.mjs": `export async function call(input) {
  const key = process.env.API_KEY;
  if (input === "value") return key ?? "none";
  if (input === "crash") process.abort();
  console.log("printed " + key);
  console.error(key + " is on stderr");
  throw new Error("refused with " + key);
}
`,
  },
  python: {
    "fn.py": `import os
import sys

def call(i: str):
    key = os.environ.get("API_KEY", "none")
    if i == "value":
        return key
    if i == "crash":
        os.abort()
    print("printed " + key)
    print(key + " is on stderr", file=sys.stderr)
    raise ValueError("refused with " + key)
`,
  },
  binary: {
    "fn.sh": `#!/bin/sh
read -r input || true
case "$input" in
  value) printf %s "$API_KEY" ;;
  crash) kill -ABRT $$ ;;
  *) echo "printed $API_KEY" >&2; echo "refused with $API_KEY" >&2; exit 3 ;;
esac
`,
  },
};

/** The files below a folder that have one of the texts in them. */
export async function filesWith(dir: string, texts: readonly string[]): Promise<string[]> {
  // Folders and files of work that is under way come and go.
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return filesWith(path, texts);
    if (!entry.isFile()) return [];
    const content = await readFile(path).catch(() => "");
    return texts.some((text) => content.includes(text)) ? [path] : [];
  });
  return (await Promise.all(found)).flat();
}

/** The command lines of all processes. */
export async function commandLines(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).join("\n");
}
