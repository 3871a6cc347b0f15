import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { deployFiles, send, zipFiles, type FunctionFiles } from "../../helpers/node-calls.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

/** A wheel is a zip with a few words about itself. */
function makeWheel(): Buffer {
  const info = "greeting-1.0.dist-info";
  const members: Record<string, string> = {
    "greeting/__init__.py": 'def greet(x):\n    return "hello " + x\n',
    [`${info}/METADATA`]: "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    [`${info}/WHEEL`]:
      "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  const records = Object.entries(members).map(([path, text]) => {
    const hash = createHash("sha256").update(text).digest("base64url");
    return `${path},sha256=${hash},${Buffer.byteLength(text)}`;
  });
  members[`${info}/RECORD`] = [...records, `${info}/RECORD,,`, ""].join("\n");
  return zipFiles(members);
}

const PYTHON: FunctionFiles = {
  "fn.py": "from greeting import greet\ndef call(i):\n    return greet(i)\n",
  "requirements.txt": "--no-index\n--find-links wheels\ngreeting == 1.0\n",
  "wheels/greeting-1.0-py3-none-any.whl": makeWheel(),
};

const NODE: FunctionFiles = {
  "package.json": JSON.stringify({
    name: "fn",
    main: "index.ts",
    dependencies: { dep: "file:vendor/dep" },
  }),
  "package-lock.json": JSON.stringify({
    name: "fn",
    lockfileVersion: 3,
    requires: true,
    packages: {
      "": { name: "fn", dependencies: { dep: "file:vendor/dep" } },
      "node_modules/dep": { resolved: "vendor/dep", link: true },
      "vendor/dep": { version: "1.0.0" },
    },
  }),
  "index.ts":
    'import { greet } from "dep";\nexport const call = (name: string): string => greet(name);\n',
  "vendor/dep/package.json": JSON.stringify({ name: "dep", version: "1.0.0", main: "main.js" }),
  "vendor/dep/main.js": "exports.greet = (name) => `hello ${name}`;",
};

let running: RunningNode;

beforeAll(async () => {
  process.env["ENOKI_TEST_SECRET"] = "s3cret";
  running = await startNode();
});
afterAll(async () => {
  delete process.env["ENOKI_TEST_SECRET"];
  await running?.remove();
});

describe.each(["process", "sandbox"] as const)("with isolation %s", (isolation) => {
  test.each([
    ["a Python function with a wheel that comes along", "py", PYTHON],
    ["a TypeScript function with an npm package that comes along", "ts", NODE],
  ])("%s runs, and again after a restart without building", async (_, kind, files) => {
    const name = `${kind}-${isolation}`;
    const { artefact } = await deployFiles(running, name, files, { isolation });
    const call = () => send(running.functionsUrl, `/${name}`, { method: "POST", body: "you" });
    expect((await call()).text).toBe("hello you");
    running = await running.restart();
    expect((await call()).text).toBe("hello you");
    expect((await running.client.functions.get(name)).artefact).toBe(artefact);
  });

  test("environment variables and settings of the deploy reach the function, the node's do not", async () => {
    const files = {
      "fn.py":
        "import os\ndef call(i): return [os.environ.get(k) for k in ('MINE', 'ENOKI_TEST_SECRET')]\n",
    };
    const name = `env-${isolation}`;
    await deployFiles(running, name, files, { isolation, env: { MINE: "a=b c" } });
    expect(JSON.parse((await send(running.functionsUrl, `/${name}`)).text)).toEqual([
      "a=b c",
      null,
    ]);
  });
});
