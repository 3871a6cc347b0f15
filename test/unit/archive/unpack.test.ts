import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { unpackArchive } from "../../../src/archive/unpack.js";
import { writeZip } from "../../../src/archive/zip-writer.js";
import { EnokiError, type ErrorCode } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import { craftZip, type CraftedMember } from "../../helpers/crafted-zip.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

async function refusal(zip: Buffer): Promise<{ error: EnokiError; written: string[] }> {
  const dir = await temporaryFolder();
  const error = await unpackArchive(zip, join(dir, "out")).then(
    () => expect.fail("the archive was accepted"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(EnokiError);
  expect(await readdir(dir)).not.toContain("evil");
  const written = await readdir(join(dir, "out")).catch(() => []);
  return { error: error as EnokiError, written };
}

const PLAIN: CraftedMember = { name: "fn.py", data: "x = 1\n" };

test("files, folders and executable bits are unpacked as they were packed", async () => {
  const dir = await temporaryFolder();
  const zip = writeZip([
    { path: "bin/run.sh", data: Buffer.from("#!/bin/sh\n"), executable: true },
    { path: "ünï.txt", data: Buffer.from("täxt"), executable: false },
    { path: "empty", data: Buffer.alloc(0), executable: false },
  ]);
  await unpackArchive(zip, join(dir, "out"));
  expect(await readFile(join(dir, "out/ünï.txt"), "utf8")).toBe("täxt");
  expect(await readFile(join(dir, "out/empty"))).toHaveLength(0);
  expect((await stat(join(dir, "out/bin/run.sh"))).mode & 0o111).not.toBe(0);
  expect((await stat(join(dir, "out/ünï.txt"))).mode & 0o111).toBe(0);
});

test("`./` in front, folders told twice and macOS's companions do no harm", async () => {
  const dir = await temporaryFolder();
  const zip = craftZip([
    { name: "./", mode: 0o040755 },
    { name: "./lib/", mode: 0o040755 },
    { name: "lib/", mode: 0 },
    { name: "./lib/a.py", data: "a" },
    { name: "__MACOSX/lib/._a.py", data: "junk" },
  ]);
  await unpackArchive(zip, dir);
  expect(await readdir(dir)).toEqual(["lib"]);
  expect(await readdir(join(dir, "lib"))).toEqual(["a.py"]);
});

const UNSAFE: readonly (readonly [title: string, named: string, members: CraftedMember[]])[] = [
  ["a path with ..", "../evil", [{ name: "../evil" }]],
  ["a path with .. inside", "a/../../evil", [{ name: "a/../../evil" }]],
  ["a path that ends in ..", "a/..", [{ name: "a/.." }]],
  ["an absolute path", "/tmp/evil", [{ name: "/tmp/evil" }]],
  ["a drive letter", "C:evil", [{ name: "C:evil" }]],
  ["a backslash", "..\\\\evil", [{ name: "..\\evil" }]],
  ["a NUL", "fn.py\\u0000.txt", [{ name: "fn.py\0.txt" }]],
  ["an empty name inside", "a//b", [{ name: "a//b" }]],
  ["an empty path", "", [{ name: "" }]],
  ["a name too long for a file system", "aaaa", [{ name: "a".repeat(256) }]],
  ["a path too long", "a/a/a", [{ name: "a/".repeat(600) + "a" }]],
  ["a symbolic link", "link", [{ name: "link", data: "/etc/passwd", mode: 0o120777 }]],
  ["a device", "null", [{ name: "null", mode: 0o020666 }]],
  ["a named pipe", "pipe", [{ name: "pipe", mode: 0o010644 }]],
  ["a path twice", "fn.py", [PLAIN, PLAIN]],
  ["a path twice but for ./", "fn.py", [PLAIN, { name: "./fn.py" }]],
  ["paths that differ in case", "FN.py", [PLAIN, { name: "FN.py" }]],
  ["folders that differ in case", "Lib", [{ name: "lib/a" }, { name: "Lib/b" }]],
  ["names that differ in composition", "e\u0301", [{ name: "\u00e9" }, { name: "e\u0301" }]],
  ["a file that is also a folder", "a", [{ name: "a" }, { name: "a/b" }]],
  ["a folder that is also a file", "a", [{ name: "a/b" }, { name: "a" }]],
  ["a folder with a file's mode", "a/", [{ name: "a/", mode: 0o100644 }]],
  ["a folder with content", "a/", [{ name: "a/", data: "x", mode: 0o040755 }]],
  ["an encrypted file", "fn.py", [{ ...PLAIN, flags: 1 }]],
];

for (const [title, named, members] of UNSAFE) {
  test(`${title} is refused by name, and nothing is written`, async () => {
    const { error, written } = await refusal(craftZip([{ name: "first" }, ...members]));
    expect(error.code).toBe("ENOKI_INVALID_ARCHIVE" satisfies ErrorCode);
    expect(error.message).toContain(named);
    expect(written).toEqual([]);
  });
}

test("an archive that declares too many bytes is refused before anything is written", async () => {
  const half = LIMITS.archiveUnpackedBytesMax / 2 + 1;
  const zip = craftZip([
    { name: "one", declaredBytes: half },
    { name: "two", declaredBytes: half },
  ]);
  const { error, written } = await refusal(zip);
  expect(error.code).toBe("ENOKI_ARCHIVE_TOO_LARGE");
  expect(error.message).toContain("two");
  expect(written).toEqual([]);
});

test("a bomb that declares little is stopped when it swells", async () => {
  const zip = craftZip([{ name: "bomb", data: Buffer.alloc(32 * 1024 * 1024), declaredBytes: 10 }]);
  expect(zip.length).toBeLessThan(64 * 1024);
  const dir = await temporaryFolder();
  await expect(unpackArchive(zip, dir)).rejects.toMatchObject({
    code: "ENOKI_INVALID_ARCHIVE",
    message: expect.stringContaining("bomb") as string,
  });
  const { size } = await stat(join(dir, "bomb")).catch(() => ({ size: 0 }));
  expect(size).toBeLessThanOrEqual(10);
});

test("too many files are refused", async () => {
  const members = Array.from({ length: LIMITS.archiveFilesMax + 1 }, (_, i) => ({ name: `${i}` }));
  const { error } = await refusal(craftZip(members));
  expect(error.code).toBe("ENOKI_ARCHIVE_TOO_LARGE");
});

test("an archive beyond the size limit is refused unread", async () => {
  const { error } = await refusal(Buffer.alloc(LIMITS.archiveBytesMax + 1));
  expect(error.code).toBe("ENOKI_ARCHIVE_TOO_LARGE");
});

test("a file whose content does not match its checksum is refused", async () => {
  const { error } = await refusal(craftZip([{ ...PLAIN, checksum: 1 }]));
  expect(error.code).toBe("ENOKI_INVALID_ARCHIVE");
  expect(error.message).toContain("fn.py");
});

test("a file that is shorter than declared is refused", async () => {
  const { error } = await refusal(craftZip([{ ...PLAIN, declaredBytes: 100 }]));
  expect(error.code).toBe("ENOKI_INVALID_ARCHIVE");
  expect(error.message).toContain("fn.py");
});

test("an archive cut anywhere is refused as corrupt", async () => {
  const whole = craftZip([PLAIN, { name: "data.txt", data: "some text" }]);
  for (let size = 0; size < whole.length; size++) {
    const dir = await temporaryFolder();
    await expect(unpackArchive(whole.subarray(0, size), dir)).rejects.toMatchObject({
      code: "ENOKI_INVALID_ARCHIVE",
    });
  }
});

test("damaged bytes never give anything but the original files or a refusal", async () => {
  const whole = craftZip([{ ...PLAIN, data: "print('hello, hello, hello')\n" }]);
  const dir = await temporaryFolder();
  for (let at = 0; at < whole.length; at++) {
    const damaged = Buffer.from(whole);
    damaged[at] = (damaged[at] as number) ^ 0x41;
    const out = join(dir, String(at));
    const error: unknown = await unpackArchive(damaged, out).catch((reason: unknown) => reason);
    if (error !== undefined) {
      expect(error, `byte ${at}`).toBeInstanceOf(EnokiError);
      continue;
    }
    // A damaged name may well be another good one, even with a folder in it.
    const found = await readdir(out, { recursive: true, withFileTypes: true });
    const files = found.filter((item) => item.isFile());
    expect(files).toHaveLength(1);
    const path = join(files[0]?.parentPath ?? "", files[0]?.name ?? "");
    expect(await readFile(path, "utf8")).toBe("print('hello, hello, hello')\n");
  }
});

test("an archive without files, and no archive at all, are refused", async () => {
  for (const zip of [craftZip([]), craftZip([{ name: "a/", mode: 0o040755 }]), Buffer.from("hi")]) {
    expect((await refusal(zip)).error.code).toBe("ENOKI_INVALID_ARCHIVE");
  }
});
