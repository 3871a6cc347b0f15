import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { GUEST_EXPORTS } from "../../../src/functions/build/enoki-module.js";
import * as enoki from "../../../src/index.js";
import { buildFiles, evaluate, hashesOfTwoBuilds } from "../../helpers/function-builds.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

test("TypeScript becomes one module beside the function's own files", async () => {
  const built = await buildFiles({
    "index.ts": `import { twice } from "./lib/twice";
      import { readFileSync } from "node:fs";
      export function call(input: number): string {
        return readFileSync(import.meta.dirname + "/data/unit.txt", "utf8") + twice(input);
      }`,
    "lib/twice.ts": "export const twice = (n: number): number => 2 * n;",
    "data/unit.txt": "°C ",
    ".git/HEAD": "no",
  });
  const names = await readdir(join(built.outDir, "code"));
  expect(names.sort()).toEqual([
    "data",
    "index.enoki.mjs",
    "index.enoki.mjs.map",
    "index.ts",
    "lib",
  ]);
  expect(await evaluate(built, "fn.call(21)")).toBe("°C 42");
  await expect(stat(`${built.outDir}.work`)).rejects.toThrow("ENOENT");
});

test("`enoki` is the guest's library, for import and for require", async () => {
  const module = await buildFiles({
    "index.ts": `import { kv, type Context } from "enoki";
      export const call = (input: string, ctx: Context) => kv.get(input);`,
  });
  expect(await evaluate(module, `fn.call("a")`)).toBe("value of a");
  const script = await buildFiles({
    "index.cjs": `const { kv } = require("enoki"); exports.call = (input) => kv.get(input);`,
  });
  expect(await evaluate(script, `fn.default.call("a")`)).toBe("value of a");
});

test("a function can import all that the package exports, and nothing else", () => {
  expect([...GUEST_EXPORTS].sort()).toEqual(Object.keys(enoki).sort());
});

test("a name that `enoki` does not have fails the build", async () => {
  await expect(
    buildFiles({ "index.ts": `import { kvv } from "enoki"; export const call = () => kvv;` }),
  ).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringContaining(`"kvv"`) as string,
  });
});

test("a stack trace names the lines that the user wrote", async () => {
  const built = await buildFiles({
    "index.ts": `import { fail } from "./lib/fail";\n\nexport function call() {\n  fail();\n}\n`,
    "lib/fail.ts": `type Unused = string;\nexport function fail(): never {\n  throw new Error("no");\n}\n`,
  });
  const stack = await evaluate(
    built,
    "(() => { try { fn.call(); } catch (e) { return e.stack; } })()",
  );
  expect(stack).toContain(join(built.outDir, "code/lib/fail.ts:3:9"));
  expect(stack).toContain(join(built.outDir, "code/index.ts:4:3"));
});

test("CommonJS handlers come out as the default export", async () => {
  const express = await buildFiles(
    { "fn.js": "module.exports = (req, res) => res.send(req.body + __dirname);" },
    { runtime: "nodejs" },
  );
  const answer = await evaluate(express, `fn.default({ body: "hi " }, { send: (text) => text })`);
  expect(answer).toBe(`hi ${join(express.outDir, "code")}`);

  const named = await buildFiles({ "index.js": "module.exports.call = () => __filename;" });
  expect(await evaluate(named, "fn.default.call()")).toBe(join(named.outDir, "code", named.entry));
});

test("a fetch handler and its own `require` and `__dirname` come through", async () => {
  const built = await buildFiles({
    "index.mjs": `import { createRequire } from "node:module";
      import path from "node:path";
      import { fileURLToPath } from "node:url";
      const require = createRequire(import.meta.url);
      const __dirname = path.dirname(fileURLToPath(import.meta.url));
      export default { fetch: () => [__dirname, typeof require("node:os").EOL] };`,
  });
  expect(await evaluate(built, "fn.default.fetch()")).toEqual([
    join(built.outDir, "code"),
    "string",
  ]);
});

test("CommonJS may require modules whose names it computes", async () => {
  const built = await buildFiles({
    "index.cjs": `exports.call = (name) => typeof require(name).EOL + require("./" + "plugin.cjs");`,
    "plugin.cjs": `module.exports = " plugged";`,
  });
  expect(await evaluate(built, `fn.default.call("o" + "s")`)).toBe("string plugged");
});

test("a file below the top folder finds its neighbours by every name for its place", async () => {
  const built = await buildFiles({
    "package.json": `{"main":"src/main.ts"}`,
    "src/main.ts": `import { readFileSync } from "node:fs";
      import { url, place } from "./deep/url.js";
      import common = require("../common/where.cjs");
      export const call = () => [
        readFileSync(import.meta.dirname + "/a.txt", "utf8"), import.meta.filename, url(), place(), common(),
      ];
      export function fail(): never {
        throw new Error("no");
      }`,
    "src/a.txt": "A",
    "src/deep/url.ts": `import { readFileSync } from "node:fs";
      import { dirname } from "node:path";
      import { fileURLToPath } from "node:url";
      const __dirname: string = dirname(fileURLToPath(import.meta.url));
      export const url = () => readFileSync(new URL("./b.txt", import.meta.url), "utf8");
      export const place = () => __dirname;`,
    "src/deep/b.txt": "B",
    "common/where.cjs": "module.exports = () => [__dirname, __filename];",
  });
  const code = join(built.outDir, "code");
  expect(await evaluate(built, "fn.call()")).toEqual([
    "A",
    join(code, "src/main.ts"),
    "B",
    join(code, "src/deep"),
    [join(code, "common"), join(code, "common/where.cjs")],
  ]);
  const stack = await evaluate(
    built,
    "(() => { try { fn.fail(); } catch (e) { return e.stack; } })()",
  );
  expect(stack).toContain(join(code, "src/main.ts:8:15"));
});

test("functions and classes keep their names", async () => {
  const built = await buildFiles({
    "index.ts": `import { a } from "./a"; class Failure extends Error {}
      export const call = () => [new Failure().constructor.name, a().constructor.name];`,
    "a.ts": `class Failure extends Error {} export const a = () => new Failure();`,
  });
  expect(await evaluate(built, "fn.call()")).toEqual(["Failure", "Failure"]);
});

test("a syntax error is shown with file, line, column and the line itself", async () => {
  await expect(
    buildFiles({ "index.ts": "export function call() {\n  const = 1;\n}\n" }),
  ).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringMatching(/index\.ts:2:8:[^]*const = 1;/) as string,
  });
});

test("an import that leads nowhere is shown with the file that has it", async () => {
  await expect(
    buildFiles({ "index.ts": `import "./missing.js";\nexport const call = 1;` }),
  ).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringMatching(/\.\/missing\.js[^]*index\.ts:1:7/) as string,
  });
});

test("nothing outside the function's folder is read, however it is named", async () => {
  const above = await temporaryFolder();
  await writeFiles(above, {
    "secret.json": `"hunter2" is no JSON`,
    "function/tsconfig.json": `{"compilerOptions":{"paths":{"#secret":["../secret.json"]}}}`,
  });
  const sourceDir = join(above, "function");
  for (const path of [join(above, "secret.json"), "../secret.json", "#secret"]) {
    await writeFiles(sourceDir, {
      "index.ts": `import s from ${JSON.stringify(path)}; export default s;`,
    });
    const failure = await buildFiles(
      { "index.ts": "" },
      { sourceDir, outDir: join(above, "out") },
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "ENOKI_BUILD_FAILED" });
    expect(String(failure)).not.toContain("hunter2");
  }
});

test("a package that is only installed in a folder above is not used", async () => {
  const above = await temporaryFolder();
  await writeFiles(above, {
    "node_modules/dep/index.js": "module.exports = 1;",
    "function/index.ts": `import dep from "dep"; export const call = () => dep;`,
  });
  const outDir = join(above, "out");
  await expect(
    buildFiles({ "index.ts": "" }, { sourceDir: join(above, "function"), outDir }),
  ).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringContaining("package.json") as string,
  });
});

test("a tsconfig.json above the function plays no part, its own does", async () => {
  const broken = await temporaryFolder();
  await writeFiles(broken, {
    "tsconfig.json": `{"compilerOptions":{"paths":{"#x":["./elsewhere.ts"]}}}`,
    "function/index.ts": `import x from "#x"; export const call = () => x;`,
    "function/tsconfig.json": `{"compilerOptions":{"paths":{"#x":["./x.ts"]}}}`,
    "function/x.ts": "export default 7;",
  });
  const outDir = join(broken, "out");
  const built = await buildFiles(
    { "index.ts": "" },
    { sourceDir: join(broken, "function"), outDir },
  );
  expect(await evaluate({ ...built, outDir }, "fn.call()")).toBe(7);
});

test("a broken package.json fails the build with its reason", async () => {
  await expect(
    buildFiles({ "package.json": "{", "index.ts": "export const call = 1;" }),
  ).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringContaining("package.json") as string,
  });
});

test("uploaded packages are used as they are when there is no lock file", async () => {
  const built = await buildFiles({
    "package.json": `{"dependencies":{"dep":"*"}}`,
    "index.ts": `import dep from "dep"; export const call = () => dep;`,
    "node_modules/dep/index.js": `module.exports = "vendored";`,
  });
  expect(await evaluate(built, "fn.call()")).toBe("vendored");
  expect(built.buildLog).toContain("as they are");
  expect(await readdir(join(built.outDir, "code"))).not.toContain("node_modules");
});

test("a package that reads files beside its code keeps its folder", async () => {
  const built = await buildFiles({
    "package.json": `{"dependencies":{"dep":"*"}}`,
    "index.ts": `import { text } from "dep"; import { kv } from "enoki";
      export const call = () => [text(), kv.get("a")];`,
    "node_modules/dep/index.js": `const { readFileSync } = require("fs");
      const { kv } = require("./store.js");
      exports.text = () => readFileSync(__dirname + "/text.txt", "utf8") + kv;`,
    "node_modules/dep/store.js": `exports.kv = "!";`,
    "node_modules/dep/text.txt": "from the package",
    "node_modules/.bin/dep": "no",
  });
  expect(await evaluate(built, "fn.call()")).toEqual(["from the package!", "value of a"]);
  expect(await readdir(join(built.outDir, "code/node_modules"))).toEqual(["dep", "enoki"]);
});

test("the same source built twice in different folders has the same hash", async () => {
  const [first, second] = await hashesOfTwoBuilds({
    "index.ts": `import { a } from "./lib/a.cjs"; export const call = () => a;`,
    "lib/a.cjs": "module.exports.a = __dirname;",
    "data.json": "{}",
  });
  expect(second).toBe(first);
});

test("a binary's entry is made executable, the rest is copied as it is", async () => {
  const built = await buildFiles({ "fn.sh": "#!/bin/sh\ncat\n", "words.txt": "a b" });
  const code = join(built.outDir, "code");
  expect((await stat(join(code, "fn.sh"))).mode & 0o777).toBe(0o755);
  expect((await stat(join(code, "words.txt"))).mode & 0o111).toBe(0);
  expect(await readFile(join(code, "words.txt"), "utf8")).toBe("a b");
  expect(built.entry).toBe("fn.sh");
  const [first, second] = await hashesOfTwoBuilds({ "fn.sh": "#!/bin/sh\ncat\n" });
  expect(second).toBe(first);
});

for (const [text, reason] of [
  ["echo hello\n", "neither with #! nor"],
  ["#!/bin/sh\r\necho hello\r\n", "CR LF"],
  ["", "neither with #! nor"],
] as const) {
  test(`a binary that starts with ${JSON.stringify(text)} is refused with the reason`, async () => {
    await expect(buildFiles({ "fn.sh": text })).rejects.toMatchObject({
      code: "ENOKI_NO_ENTRY",
      message: expect.stringContaining(reason) as string,
    });
  });
}

test("a build that was given up before it began does nothing", async () => {
  const signal = AbortSignal.abort(new Error("shutting down"));
  await expect(buildFiles({ "index.ts": "" }, { signal })).rejects.toThrow("shutting down");
});
