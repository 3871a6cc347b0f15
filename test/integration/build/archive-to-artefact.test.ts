import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

import { packFolder } from "../../../src/archive/pack.js";
import { createArtefactStore } from "../../../src/functions/artefacts.js";
import { thisTarget } from "../../../src/functions/build-target.js";
import { createBuildStep } from "../../../src/functions/build/build-step.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const run = promisify(execFile);

async function setUp(pythonPath: string | undefined = "python3") {
  const dir = await temporaryFolder();
  const store = await createArtefactStore(join(dir, "artefacts"));
  const workDir = store.scratchDir();
  await mkdir(workDir);
  return {
    dir,
    store,
    workDir,
    step: createBuildStep({ store, pythonPath, target: thisTarget("3.11.2") }),
  };
}

test("a zip made by Python of a folder becomes an artefact", async () => {
  const { dir, store, workDir, step } = await setUp();
  await writeFiles(dir, { "my-fn/fn.sh": "#!/bin/sh\ncat\n", "my-fn/data/a.txt": "a" });
  await chmod(join(dir, "my-fn/fn.sh"), 0o755);
  await run("python3", ["-m", "zipfile", "-c", "fn.zip", "my-fn"], { cwd: dir });
  const archive = await readFile(join(dir, "fn.zip"));
  const built = await step({ archive, runtime: undefined, workDir, allowBuild: false });
  expect(built).toMatchObject({ runtime: "binary", entry: "fn.sh", hasDeps: false });
  const path = store.path(built.hash);
  expect((await stat(join(path, "code/fn.sh"))).mode & 0o777).toBe(0o555);
  expect(await readFile(join(path, "code/data/a.txt"), "utf8")).toBe("a");
  expect(await store.verify(built.hash)).toEqual([]);
});

test("a folder packed by the client becomes the artefact that a zip by Python gives", async () => {
  const { dir, workDir, step } = await setUp();
  await writeFiles(dir, { "fn/fn.py": "def call(i):\n    return i\n", "fn/lib/a.py": "a = 1\n" });
  const ours = await packFolder(join(dir, "fn"));
  await run("python3", ["-m", "zipfile", "-c", "../fn.zip", "fn.py", "lib"], {
    cwd: join(dir, "fn"),
  });
  const theirs = await readFile(join(dir, "fn.zip"));
  const hashes: string[] = [];
  for (const [i, archive] of [ours, theirs].entries()) {
    const request = { archive, runtime: "python" as const, allowBuild: false };
    const built = await step({ ...request, workDir: join(workDir, String(i)) });
    hashes.push(built.hash);
  }
  expect(hashes[1]).toBe(hashes[0]);
});

test("a node without Python builds the rest, and says so for Python", async () => {
  const dir = await temporaryFolder();
  const store = await createArtefactStore(join(dir, "artefacts"));
  const step = createBuildStep({ store, pythonPath: undefined, target: thisTarget(undefined) });
  await writeFiles(dir, { "py/fn.py": "x = 1\n", "js/index.js": "exports.call = () => 1;\n" });
  const deploy = async (name: string) => {
    const archive = await packFolder(join(dir, name));
    return step({
      archive,
      runtime: undefined,
      workDir: join(dir, `${name}.work`),
      allowBuild: false,
    });
  };
  expect((await deploy("js")).runtime).toBe("node");
  await expect(deploy("py")).rejects.toMatchObject({ code: "ENOKI_RUNTIME_UNAVAILABLE" });
});
