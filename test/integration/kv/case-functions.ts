import { copyFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

import { writeFiles } from "../../helpers/temporary-folder.js";

/** The sides of the library that a function can be written against. */
export type Flavour = "python" | "aio" | "node";

const ENTRIES: Readonly<Record<Flavour, Readonly<Record<string, string>>>> = {
  python: {
    "fn.py": "import driver\ndriver.OWN = NAME\n\ndef call(i):\n    return driver.run_plain(i)\n",
  },
  aio: {
    "fn.py":
      "import driver\ndriver.OWN = NAME\n\nasync def call(i):\n    return await driver.run_async(i)\n",
  },
  node: {
    "index.ts": `import { kv } from "enoki";
      import { runSteps } from "./driver.js";
      export async function call({ steps, keep }) {
        return { results: await runSteps(kv, NAME, steps, keep) };
      }`,
  },
};

const SHARED: Readonly<Record<Flavour, readonly string[]>> = {
  python: ["driver.py"],
  aio: ["driver.py"],
  node: ["driver.ts", "values.ts", "changes.ts"],
};

/** Writes into `folder` a function named `name` that runs the steps of the case it is called with. */
export async function writeCaseFunction(
  folder: string,
  flavour: Flavour,
  name: string,
): Promise<void> {
  const entries = Object.entries(ENTRIES[flavour]).map(([path, text]) => [
    path,
    text.replace("NAME", JSON.stringify(name)),
  ]);
  await writeFiles(folder, Object.fromEntries(entries) as Record<string, string>);
  for (const file of SHARED[flavour]) {
    const source = fileURLToPath(new URL(`drivers/${file}`, import.meta.url));
    await copyFile(source, join(folder, file));
  }
}
