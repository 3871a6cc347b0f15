import { readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { CheckpointFile, type Checkpoint } from "../../../src/storage/checkpoint-file.js";
import { claimFormat } from "../../../src/storage/format-file.js";
import { joinParts, partsOf, type FileParts } from "../../helpers/file-parts.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

interface StoredCheckpoint {
  readonly sequence: number;
  readonly bootId: string;
  readonly metaPages: FileParts;
}

interface Fixture {
  readonly format: string;
  readonly checkpoint: FileParts;
  /** Both slots, the older one first. */
  readonly means: readonly [StoredCheckpoint, StoredCheckpoint];
}

const FILE = join(import.meta.dirname, "../../fixtures/format-1/files/store.json");
const fixture = JSON.parse(readFileSync(FILE, "utf8")) as Fixture;

function checkpointOf({ metaPages, ...rest }: StoredCheckpoint): Checkpoint {
  return { ...rest, metaPages: joinParts(metaPages) };
}

/** What is read from a checkpoint file with these bytes. */
async function read(bytes: Buffer): Promise<StoredCheckpoint | undefined> {
  const path = join(await temporaryFolder(), "stored");
  await writeFile(path, bytes);
  const file = await CheckpointFile.open(path);
  const found = await file.read();
  await file.close();
  return found && { ...found, metaPages: partsOf(found.metaPages) };
}

test("a stored checkpoint still means what it meant, in either slot", async () => {
  const bytes = joinParts(fixture.checkpoint);
  const [older, newer] = fixture.means;
  expect(await read(bytes)).toEqual(newer);
  const torn = Buffer.from(bytes);
  torn.writeUInt8(0xff, torn.length / 2);
  expect(await read(torn)).toEqual(older);
});

test("the same checkpoints are written the same", async () => {
  const path = join(await temporaryFolder(), "written");
  const [older, newer] = fixture.means.map(checkpointOf) as [Checkpoint, Checkpoint];
  await CheckpointFile.create(path, older);
  const file = await CheckpointFile.open(path);
  await file.write(newer);
  await file.close();
  expect(partsOf(await readFile(path))).toEqual(fixture.checkpoint);
});

test("the mark of a directory is known and written the same", async () => {
  const dir = await temporaryFolder();
  const path = join(dir, "format");
  await writeFile(path, fixture.format);
  await claimFormat(dir);
  expect(await readFile(path, "utf8")).toBe(fixture.format);
  await rm(path);
  await claimFormat(dir);
  expect(await readFile(path, "utf8")).toBe(fixture.format);
});
