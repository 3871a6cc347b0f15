import { expect, test } from "vitest";

import { bundle } from "../../../src/functions/build/bundle.js";
import { readableStack } from "../../../src/guest/readable-stack.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const GUEST = "/guest/main.cjs";

test("a stack names the author's files and lines, and no frame of the guest", async () => {
  const dir = await temporaryFolder();
  await writeFiles(dir, {
    "index.ts": `import { fail } from "./fail.js";\n\nexport const call = () => fail();\n`,
    "fail.ts": `interface Long {\n  x: number;\n}\nexport function fail(): Long {\n  throw new Error("no");\n}\n`,
  });
  const { files } = await bundle(dir, "index.ts", false);
  await writeFiles(dir, Object.fromEntries(files.map(({ name, contents }) => [name, contents])));
  const [{ contents }] = files.filter(({ name }) => name.endsWith(".mjs")) as [(typeof files)[0]];
  const lines = Buffer.from(contents).toString("utf8").split("\n");
  const row = lines.findIndex((line) => line.includes("throw new Error"));
  const stack = [
    "Error: no",
    `    at fail (file://${dir}/index.enoki.mjs:${row + 1}:${(lines[row] ?? "").indexOf("throw") + 1})`,
    `    at Calls.invoke (${GUEST}:1:40915)`,
    "    at Array.map (<anonymous>)",
    `    at Socket.callback (${GUEST}:1:42857)`,
    "    at Pipe.onStreamRead (node:internal/stream_base_commons:181:34)",
  ].join("\n");
  expect(readableStack(stack, GUEST)).toBe(
    ["Error: no", "    at fail (fail.ts:5:3)", "    at Array.map (<anonymous>)"].join("\n"),
  );
});

test("what is no frame, or has no source map, stays as it is", () => {
  const stack = "Error: see /a/b:1:2\n    at f (/nowhere/index.js:3:4)\n    at /nowhere/x.mjs:5:6";
  expect(readableStack(stack, GUEST)).toBe(stack);
  expect(readableStack("just text", undefined)).toBe("just text");
});
