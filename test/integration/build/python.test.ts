import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";

import { writeZip } from "../../../src/archive/zip-writer.js";
import {
  buildFiles,
  hashesOfTwoBuilds,
  type Built,
  type Files,
} from "../../helpers/function-builds.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const run = promisify(execFile);

/** A wheel is a zip with a few words about itself. */
function makeWheel(): Buffer {
  const info = "greeting-1.0.dist-info";
  const members: Record<string, string> = {
    "greeting/__init__.py": `WORDS = {"a", "b", "c", "d"}\ndef greet(x):\n    return "hello " + x\n`,
    "greeting/template.py": "this is {{ no }} python\n",
    [`${info}/METADATA`]: "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    [`${info}/WHEEL`]:
      "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  };
  const lines = Object.entries(members).map(([path, text]) => {
    const hash = createHash("sha256").update(text).digest("base64url");
    return `${path},sha256=${hash},${Buffer.byteLength(text)}`;
  });
  members[`${info}/RECORD`] = [...lines, `${info}/RECORD,,`, ""].join("\n");
  return writeZip(
    Object.entries(members).map(([path, text]) => ({
      path,
      data: Buffer.from(text),
      executable: false,
    })),
  );
}

const FUNCTION: Files = {
  "fn.py": `import greeting\nKINDS = {"x", "y", "z"}\ndef call(i):\n    return greeting.greet(i)\n`,
  "requirements.txt": "--no-index\n--find-links wheels\n# local\ngreeting == 1.0\n",
  "wheels/greeting-1.0-py3-none-any.whl": makeWheel(),
};

/** Loads the built function as a guest does and prints what the expression gives; `-v` tells what was loaded. */
async function callBuilt(
  built: Built,
  expression: string,
): Promise<{ printed: string; loaded: string }> {
  const program = `import sys
sys.path[:0] = sys.argv[1:]
sys.dont_write_bytecode = True
import fn
print(${expression})`;
  const folders = [join(built.outDir, "deps"), join(built.outDir, "code")];
  const { stdout, stderr } = await run("python3", ["-v", "-c", program, ...folders]);
  return { printed: stdout.trim(), loaded: stderr };
}

test("a function's packages are installed from a local wheel and found by it", async () => {
  const built = await buildFiles(FUNCTION);
  expect(built).toMatchObject({ entry: "fn.py", depsDir: "deps" });
  expect((await callBuilt(built, `fn.call("you")`)).printed).toBe("hello you");
  expect(built.buildLog).toContain("pip install --only-binary :all:");
});

test("pip's own configuration says where packages come from", async () => {
  const wheels = await temporaryFolder();
  const configFile = join(wheels, "pip.conf");
  await writeFiles(wheels, {
    "greeting-1.0-py3-none-any.whl": makeWheel(),
    "pip.conf": `[install]\nno-index = true\nfind-links = ${wheels}\n`,
  });
  // What the environment says goes before any file.
  for (const name of Object.keys(process.env).filter((it) => it.startsWith("PIP_"))) {
    vi.stubEnv(name, undefined);
  }
  vi.stubEnv("PIP_CONFIG_FILE", configFile);
  onTestFinished(() => void vi.unstubAllEnvs());
  const built = await buildFiles({
    "fn.py": FUNCTION["fn.py"] as string,
    "requirements.txt": "greeting == 1.0\n",
  });
  expect((await callBuilt(built, `fn.call("you")`)).printed).toBe("hello you");
});

test("code and packages are compiled, bound to no time, and Python uses the caches", async () => {
  const built = await buildFiles(FUNCTION);
  for (const folder of ["code/__pycache__", "deps/greeting/__pycache__"]) {
    const [name] = await readdir(join(built.outDir, folder));
    const cache = await readFile(join(built.outDir, folder, name as string));
    // Flags of a cache: 1 = bound by hash, and never checked again.
    expect(cache.readUInt32LE(4)).toBe(1);
    expect(cache.toString("latin1")).not.toContain(built.outDir);
  }
  const { printed, loaded } = await callBuilt(built, "fn.call.__code__.co_filename");
  expect(printed).toBe(join(built.outDir, "code/fn.py"));
  expect(loaded).toMatch(/# code object from '[^']*code\/__pycache__\/fn\.[^']*\.pyc'/);
});

test("the same source has the same hash, and nothing tells where it was built", async () => {
  const [first, second] = await hashesOfTwoBuilds(FUNCTION);
  expect(second).toBe(first);
  const direct: Files = {
    ...FUNCTION,
    "requirements.txt": "./wheels/greeting-1.0-py3-none-any.whl\n",
  };
  const [third, fourth] = await hashesOfTwoBuilds(direct);
  expect(fourth).toBe(third);
});

test("without requirements there is no deps folder and no pip", async () => {
  for (const requirements of ["", "# nothing\n\n", "--no-index\n"]) {
    const built = await buildFiles({ "fn.py": "x = 1\n", "requirements.txt": requirements });
    expect(built.depsDir).toBeUndefined();
    expect(built.buildLog).toBe("");
    await expect(stat(join(built.outDir, "deps"))).rejects.toThrow("ENOENT");
  }
});

test("a package that is nowhere fails the build with pip's last words", async () => {
  const files = { ...FUNCTION, "requirements.txt": "--no-index\nno-such-package-of-enoki==3\n" };
  await expect(buildFiles(files)).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringMatching(
      /No matching distribution found for no-such-package-of-enoki==3$/,
    ) as string,
  });
});

/** A source distribution that builds itself, so that nothing has to be downloaded. */
async function makeSourceDistribution(): Promise<Buffer> {
  const dir = await temporaryFolder();
  const wheel = makeWheel().toString("base64");
  await writeFiles(dir, {
    "greeting-1.0/PKG-INFO": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    "greeting-1.0/pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`,
    "greeting-1.0/backend.py": `import base64, os
def build_wheel(directory, settings=None, metadata=None):
    name = "greeting-1.0-py3-none-any.whl"
    with open(os.path.join(directory, name), "wb") as file:
        file.write(base64.b64decode("${wheel}"))
    return name
`,
  });
  await run("python3", ["-m", "tarfile", "-c", "out.tar.gz", "greeting-1.0"], { cwd: dir });
  return readFile(join(dir, "out.tar.gz"));
}

test("a package that has to be built is refused, unless that is allowed", async () => {
  const { "wheels/greeting-1.0-py3-none-any.whl": _, ...rest } = FUNCTION;
  const files = { ...rest, "wheels/greeting-1.0.tar.gz": await makeSourceDistribution() };
  await expect(buildFiles(files)).rejects.toMatchObject({ code: "ENOKI_BUILD_FAILED" });
  const built = await buildFiles(files, { allowBuild: true });
  expect((await callBuilt(built, `fn.call("source")`)).printed).toBe("hello source");
});

test("a syntax error fails the build with the function's own file, line and caret", async () => {
  const failure: unknown = await buildFiles({
    "fn.py": "import lib.part\ndef call(i):\n    return i\n",
    "lib/part.py": "def f():\n    return (1\n",
  }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "ENOKI_BUILD_FAILED" });
  const text = (failure as Error).message;
  expect(text).toMatch(/File "lib\/part\.py", line 2\n +return \(1\n +\^\nSyntaxError:/);
});

test("a function's files are never run by the build, not even when they are named like Python's own", async () => {
  const trap = `raise SystemExit("the build ran me")\n`;
  const names = ["json", "types", "compileall", "pip", "email", "struct", "sitecustomize"];
  const traps = Object.fromEntries(names.map((name) => [`${name}.py`, trap]));
  const built = await buildFiles({ ...FUNCTION, ...traps });
  expect(built.depsDir).toBe("deps");
});

test("a Python that is not there is said to be missing", async () => {
  await expect(
    buildFiles({ "fn.py": "x = 1\n" }, { pythonPath: "/nowhere/python3" }),
  ).rejects.toMatchObject({ code: "ENOKI_RUNTIME_UNAVAILABLE" });
});
