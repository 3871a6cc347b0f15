import { chmod, mkdir, readdir, readFile, stat, symlink, utimes } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

import { packFolder } from "../../../src/archive/pack.js";
import { unpackArchive } from "../../../src/archive/unpack.js";
import { craftZip } from "../../helpers/crafted-zip.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

test("a folder comes out of its archive as it went in, without what tools leave in it", async () => {
  const dir = await temporaryFolder();
  await writeFiles(dir, {
    "src/fn.py": "x",
    "src/lib/ä.txt": "y",
    "src/dist/out.js": "z",
    "src/node_modules/dep/index.js": "no",
    "src/lib/__pycache__/a.pyc": "no",
    "src/.git/HEAD": "no",
    "src/.env": "A=1",
  });
  await chmod(join(dir, "src/fn.py"), 0o755);
  await unpackArchive(await packFolder(join(dir, "src")), join(dir, "out"));
  const names = await readdir(join(dir, "out"), { recursive: true });
  expect(names.sort()).toEqual([".env", "dist", "dist/out.js", "fn.py", "lib", "lib/ä.txt"]);
  expect(await readFile(join(dir, "out/lib/ä.txt"), "utf8")).toBe("y");
  expect((await stat(join(dir, "out/fn.py"))).mode & 0o111).not.toBe(0);
});

test("the same files give the same bytes, whatever their times", async () => {
  const dir = await temporaryFolder();
  await writeFiles(dir, { "b.py": "b", "a.py": "a" });
  const first = await packFolder(dir);
  await utimes(join(dir, "a.py"), 1, 1);
  expect(await packFolder(dir)).toEqual(first);
});

test("one file is packed under its own name, and a zip is passed on as it is", async () => {
  const dir = await temporaryFolder();
  const zip = craftZip([{ name: "fn.py", data: "x" }]);
  await writeFiles(dir, { "fn.sh": "#!/bin/sh\n", "ready.zip": zip });
  await unpackArchive(await packFolder(join(dir, "fn.sh")), join(dir, "out"));
  expect(await readdir(join(dir, "out"))).toEqual(["fn.sh"]);
  expect(await packFolder(join(dir, "ready.zip"))).toEqual(zip);
});

test("links inside the folder are packed as what they point to", async () => {
  const dir = await temporaryFolder();
  await writeFiles(dir, { "real/a.txt": "a" });
  await symlink("real", join(dir, "also"));
  await symlink("real/a.txt", join(dir, "b.txt"));
  const out = await temporaryFolder();
  await unpackArchive(await packFolder(dir), out);
  expect(await readFile(join(out, "also/a.txt"), "utf8")).toBe("a");
  expect(await readFile(join(out, "b.txt"), "utf8")).toBe("a");
});

for (const [title, target] of [
  ["leaves the folder", "../secret"],
  ["leads to nothing", "missing"],
  ["leads to a folder around it", "."],
] as const) {
  test(`a link that ${title} is refused by name`, async () => {
    const dir = await temporaryFolder();
    await writeFiles(dir, { secret: "s", "src/fn.py": "x" });
    await mkdir(join(dir, "src/sub"));
    await symlink(title.includes("around") ? ".." : `../${target}`, join(dir, "src/sub/bad"));
    await expect(packFolder(join(dir, "src/sub"))).rejects.toMatchObject({
      code: "ENOKI_INVALID_ARCHIVE",
      message: expect.stringContaining("bad") as string,
    });
  });
}

test("a socket in the folder, an empty folder and a missing one are refused", async () => {
  const dir = await temporaryFolder();
  await mkdir(join(dir, "empty"));
  await mkdir(join(dir, "src"));
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(join(dir, "src/socket"), resolve));
  await expect(packFolder(join(dir, "src"))).rejects.toMatchObject({
    code: "ENOKI_INVALID_ARCHIVE",
  });
  await expect(packFolder(join(dir, "empty"))).rejects.toMatchObject({
    code: "ENOKI_INVALID_ARCHIVE",
  });
  await expect(packFolder(join(dir, "none"))).rejects.toMatchObject({
    code: "ENOKI_INVALID_INPUT",
  });
});
