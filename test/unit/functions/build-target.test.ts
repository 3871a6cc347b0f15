import { join } from "node:path";
import { expect, test } from "vitest";

import {
  type BuildTarget,
  builtFor,
  describeTarget,
  fits,
  hasNativeFiles,
  thisTarget,
} from "../../../src/functions/build-target.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const here: BuildTarget = { platform: "linux-x64-glibc", nodeAbi: "115", python: "3.11" };

test("plain JavaScript runs anywhere, machine code where it was built", () => {
  const arm = { ...here, platform: "linux-arm64-glibc" };
  expect(builtFor("node", false, here)).toEqual({});
  expect(fits(builtFor("node", false, here), arm)).toBe(true);
  expect(fits(builtFor("node", true, here), arm)).toBe(false);
  expect(fits(builtFor("nodejs", true, here), { ...here, nodeAbi: "127" })).toBe(false);
  expect(fits(builtFor("node", true, here), { ...here, python: undefined })).toBe(true);
  expect(fits(builtFor("binary", true, here), { ...here, nodeAbi: "127" })).toBe(true);
  expect(fits(builtFor("binary", true, here), arm)).toBe(false);
});

test("Python is built for a minor version, and for a platform only with machine code", () => {
  const arm = { ...here, platform: "linux-arm64-musl" };
  expect(fits(builtFor("python3-kv", false, here), arm)).toBe(true);
  expect(fits(builtFor("python", true, here), arm)).toBe(false);
  expect(fits(builtFor("python", false, here), { ...here, python: "3.12" })).toBe(false);
  expect(describeTarget(builtFor("python", true, here))).toBe("linux-x64-glibc, Python 3.11");
  expect(describeTarget(builtFor("node", false, here))).toBe("any machine");
});

test("this machine says its platform and the minor version of its Python", () => {
  const target = thisTarget("3.11.2");
  expect(target.platform).toContain(`${process.platform}-${process.arch}`);
  expect(target).toMatchObject({ nodeAbi: process.versions.modules, python: "3.11" });
});

test("machine code is known by its name or its first bytes", async () => {
  const dir = await temporaryFolder();
  await writeFiles(dir, { "plain/code/fn.py": "x = 1\n", "plain/code/short": "E" });
  await writeFiles(dir, { "elf/code/deep/tool": Buffer.from("\x7fELF\x02", "latin1") });
  await writeFiles(dir, { "wheel/deps/a/_c.cpython-311-x86_64-linux-gnu.so": "" });
  await writeFiles(dir, { "lib/deps/libz.so.1.2": "", "addon/code/a.node": "" });
  const found = ["plain", "elf", "wheel", "lib", "addon"].map((name) =>
    hasNativeFiles(join(dir, name)),
  );
  expect(await Promise.all(found)).toEqual([false, true, true, true, true]);
});
