import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import {
  buildFiles,
  evaluate,
  hashesOfTwoBuilds,
  type Files,
} from "../../helpers/function-builds.js";

const LOCK = {
  name: "fn",
  lockfileVersion: 3,
  requires: true,
  packages: {
    "": { name: "fn", dependencies: { dep: "file:vendor/dep" } },
    "node_modules/dep": { resolved: "vendor/dep", link: true },
    "vendor/dep": { version: "1.0.0" },
  },
};

const MANIFEST = {
  name: "fn",
  dependencies: { dep: "file:vendor/dep" },
  devDependencies: { "enoki-test-no-such-package": "1.0.0" },
};

/** A function with one package, which comes along in the archive: no registry is asked. */
const FUNCTION: Files = {
  "package.json": JSON.stringify({ ...MANIFEST, devDependencies: {} }),
  "package-lock.json": JSON.stringify(LOCK),
  "index.ts": `import { twice } from "dep"; export const call = (n: number) => twice(n);`,
  "vendor/dep/package.json": JSON.stringify({
    name: "dep",
    version: "1.0.0",
    main: "main.js",
    scripts: { preinstall: "exit 1", install: "exit 1", postinstall: "exit 1" },
  }),
  "vendor/dep/main.js": "exports.twice = (n) => 2 * n;",
};

test("packages are installed as the lock file says, without their scripts, and bundled", async () => {
  const built = await buildFiles(FUNCTION);
  expect(await evaluate(built, "fn.call(4)")).toBe(8);
  expect(built.buildLog).toContain("npm ci --ignore-scripts --omit=dev");
  expect(await readdir(join(built.outDir, "code"))).not.toContain("node_modules");
});

test("a function with packages has the same hash each time it is built", async () => {
  const [first, second] = await hashesOfTwoBuilds(FUNCTION);
  expect(second).toBe(first);
});

test("a package in the function's own folder finds its files, with the same hash each time", async () => {
  const files: Files = {
    ...FUNCTION,
    "vendor/dep/main.js": `const { readFileSync } = require("node:fs");
      exports.twice = () => readFileSync(__dirname + "/text.txt", "utf8");`,
    "vendor/dep/text.txt": "mine",
  };
  const built = await buildFiles(files);
  expect(await evaluate(built, "fn.call(4)")).toBe("mine");
  const [first, second] = await hashesOfTwoBuilds(files);
  expect(second).toBe(first);
});

test("without a lock file npm decides, and the log says what that means", async () => {
  const { "package-lock.json": _, ...files } = FUNCTION;
  const built = await buildFiles(files);
  expect(await evaluate(built, "fn.call(4)")).toBe(8);
  expect(built.buildLog).toContain("cannot be repeated exactly");
});

test("a lock file that does not fit package.json fails the build with npm's words", async () => {
  await expect(
    buildFiles({ ...FUNCTION, "package.json": JSON.stringify(MANIFEST) }),
  ).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringMatching(/npm ci failed[^]*enoki-test-no-such-package/) as string,
  });
});
