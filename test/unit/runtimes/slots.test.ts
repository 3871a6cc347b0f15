import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { placeArtefact } from "../../../src/runtimes/slots.js";

describe("placeArtefact", () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "enoki-slots-"));
    mkdirSync(join(dir, "slot"));
    mkdirSync(join(dir, "artefact/code/lib"), { recursive: true });
    writeFileSync(join(dir, "artefact/code/main.py"), "x");
    symlinkSync("../main.py", join(dir, "artefact/code/lib/link"));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it.each([1, 500])("shows the same files without copying them (%d files)", async (fileCount) => {
    for (let i = 0; i < fileCount; i++)
      writeFileSync(join(dir, `artefact/code/lib/${i}.py`), `${i}`);
    await placeArtefact(join(dir, "artefact"), join(dir, "slot"));
    const last = `code/lib/${fileCount - 1}.py`;
    expect(readFileSync(join(dir, "slot", last), "utf8")).toBe(`${fileCount - 1}`);
    expect(statSync(join(dir, "slot", last)).ino).toBe(statSync(join(dir, "artefact", last)).ino);
    expect(readlinkSync(join(dir, "slot/code/lib/link"))).toBe("../main.py");
  });
});
