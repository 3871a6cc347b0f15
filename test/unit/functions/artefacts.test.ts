import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { createArtefactStore, type ArtefactStore } from "../../../src/functions/artefacts.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const FILES = { "code/fn.py": "x = 1\n", "code/lib/ä.txt": "ä", "deps/dep/__init__.py": "" };

async function built(
  store: ArtefactStore,
  files: Readonly<Record<string, string>> = FILES,
): Promise<string> {
  const dir = store.scratchDir();
  await writeFiles(dir, files);
  return dir;
}

test("an artefact is found under its hash with everything in it, read-only", async () => {
  const dir = await temporaryFolder();
  const store = await createArtefactStore(dir);
  const scratch = await built(store);
  const { hash, sizeBytes, files } = await store.add(scratch);
  expect({ sizeBytes, files }).toEqual({ sizeBytes: 8, files: 3 });
  expect(store.path(hash)).toBe(join(dir, hash));
  expect(await readFile(join(dir, hash, "code/lib/ä.txt"), "utf8")).toBe("ä");
  expect((await stat(join(dir, hash, "code/fn.py"))).mode & 0o777).toBe(0o444);
  expect(await store.has(hash)).toBe(true);
  expect(await store.list()).toEqual([hash]);
  expect(await store.verify(hash)).toEqual([]);
  await expect(stat(scratch)).rejects.toThrow("ENOENT");
});

test("the hash depends on paths, contents and executable bits, and on nothing else", async () => {
  const store = await createArtefactStore(await temporaryFolder());
  const { hash } = await store.add(await built(store));

  const same = await built(store, Object.fromEntries(Object.entries(FILES).reverse()));
  await utimes(join(same, "code/fn.py"), 1, 1);
  await chmod(join(same, "code/fn.py"), 0o600);
  await mkdir(join(same, "code/empty"));
  expect((await store.add(same)).hash).toBe(hash);
  expect(await store.list()).toEqual([hash]);

  const executable = await built(store);
  await chmod(join(executable, "code/fn.py"), 0o755);
  const others = [
    executable,
    await built(store, { ...FILES, "code/fn.py": "x = 2\n" }),
    await built(store, { ...FILES, "code/new.py": "" }),
  ];
  for (const other of others) expect((await store.add(other)).hash).not.toBe(hash);
  expect(await store.list()).toHaveLength(4);
});

test("adding the same content twice at once keeps it once, and leaves nothing behind", async () => {
  const dir = await temporaryFolder();
  const store = await createArtefactStore(dir);
  const scratches = await Promise.all([built(store), built(store), built(store)]);
  const added = await Promise.all(scratches.map((scratch) => store.add(scratch)));
  expect(new Set(added.map(({ hash }) => hash)).size).toBe(1);
  expect(await readdir(join(dir, ".scratch"))).toEqual([]);
  expect(await store.verify(added[0]?.hash as string)).toEqual([]);
});

test("what a crash left half done is gone when the store is opened again, what was kept stays", async () => {
  const dir = await temporaryFolder();
  const store = await createArtefactStore(dir);
  const { hash } = await store.add(await built(store));
  await built(store, { "code/half.py": "" });
  const reopened = await createArtefactStore(dir);
  expect(await readdir(join(dir, ".scratch"))).toEqual([]);
  expect(await reopened.list()).toEqual([hash]);
  expect(await reopened.verify(hash)).toEqual([]);
});

test("a folder without a manifest does not count as an artefact, and is replaced by one", async () => {
  const dir = await temporaryFolder();
  const store = await createArtefactStore(dir);
  const { hash } = await store.add(await built(store));
  await rm(join(dir, hash, "manifest.json"));
  expect(await store.has(hash)).toBe(false);
  expect(await store.verify(hash)).toEqual(["manifest.json is missing"]);
  await store.add(await built(store));
  expect(await store.verify(hash)).toEqual([]);
});

test("a removed artefact is gone, and removing it again is no error", async () => {
  const store = await createArtefactStore(await temporaryFolder());
  const { hash } = await store.add(await built(store));
  await store.remove(hash);
  expect(await store.has(hash)).toBe(false);
  expect(await store.list()).toEqual([]);
  await store.remove(hash);
});

test("verify names each file that was changed, added or taken away", async () => {
  const store = await createArtefactStore(await temporaryFolder());
  const { hash } = await store.add(await built(store));
  const path = (name: string): string => join(store.path(hash), name);
  await chmod(path("code/fn.py"), 0o644);
  await writeFile(path("code/fn.py"), "x = 2\n");
  await chmod(path("deps/dep/__init__.py"), 0o755);
  await rm(path("code/lib/ä.txt"));
  await writeFile(path("code/extra.py"), "");
  expect(await store.verify(hash)).toEqual([
    "code/fn.py has other content",
    "code/lib/ä.txt is missing",
    "deps/dep/__init__.py has other permissions",
    "code/extra.py is not part of it",
  ]);
});

test("a manifest that was changed is found out by its hash", async () => {
  const store = await createArtefactStore(await temporaryFolder());
  const { hash } = await store.add(await built(store));
  const manifest = join(store.path(hash), "manifest.json");
  const text = await readFile(manifest, "utf8");
  await chmod(manifest, 0o644);
  await writeFile(manifest, text.replace('"sizeBytes":6', '"sizeBytes":7'));
  expect(await store.verify(hash)).toEqual([`manifest.json does not have the hash ${hash}`]);
});

test("a link in a built folder is refused", async () => {
  const store = await createArtefactStore(await temporaryFolder());
  const scratch = await built(store);
  await symlink("/etc/passwd", join(scratch, "code/link"));
  await expect(store.add(scratch)).rejects.toMatchObject({
    code: "ENOKI_BUILD_FAILED",
    message: expect.stringContaining("code/link") as string,
  });
  expect(await store.list()).toEqual([]);
  expect(await readdir(join(store.path("0".repeat(64)), "../.scratch"))).toEqual([]);
});

test("a hash that is none never becomes a path", async () => {
  const store = await createArtefactStore(await temporaryFolder());
  expect(() => store.path("../../etc")).toThrow("hexadecimal");
  await expect(async () => store.remove(".scratch")).rejects.toMatchObject({
    code: "ENOKI_INVALID_INPUT",
  });
});
