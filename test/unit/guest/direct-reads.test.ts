import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import type { TypedValue } from "../../../src/core/value.js";
import { TAG } from "../../../src/core/value.js";
import { DirectReads } from "../../../src/guest/direct-reads.js";
import type { Keygroup } from "../../../src/keygroups/keygroup.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { openTestKeygroup } from "../../helpers/memory-keygroup.js";

let dir: string;
let keygroup: Keygroup;
let reads: DirectReads;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "enoki-direct-"));
  const storage = await createLmdbDriver({ dir }).open("kg");
  ({ keygroup } = await openTestKeygroup({ storage }));
  reads = new DirectReads();
  reads.use(join(dir, "kg", "data.mdb"));
});
afterEach(async () => {
  await keygroup.close();
  await rm(dir, { recursive: true, force: true });
});

// Short and long ones take different ways through the decoder.
test.each([1, 10, 63, 64, 65, 500, 20_000])(
  "values and keys of %i bytes are read as they were written",
  async (sizeBytes) => {
    const text = "é".padEnd(sizeBytes - 1, "x");
    const key = `k${"y".repeat(Math.min(sizeBytes, 1000))}`;
    const values: [name: string, value: TypedValue, expected: unknown][] = [
      ["str", { tag: TAG.str, bytes: Buffer.from(text) }, text],
      ["json", { tag: TAG.json, bytes: Buffer.from(JSON.stringify([text])) }, [text]],
      [
        "bytes",
        { tag: TAG.bytes, bytes: Buffer.alloc(sizeBytes, 200) },
        new Uint8Array(sizeBytes).fill(200),
      ],
    ];
    await keygroup.write({
      writes: values.map(([name, value]) => ({ op: "set", key: `${key}-${name}`, value })),
    });
    for (const [name, , expected] of values) {
      expect(reads.get(`${key}-${name}`, "missing")).toEqual(expected);
      expect(reads.exists(`${key}-${name}`)).toBe(true);
    }
    const inOrder = values.toSorted(([left], [right]) => (left < right ? -1 : 1));
    const request = {
      start: "",
      end: undefined,
      prefix: "k",
      after: false,
      reverse: false,
      keysOnly: false,
      limit: 0,
    };
    expect(reads.page(request)).toEqual({
      keys: inOrder.map(([name]) => `${key}-${name}`),
      values: inOrder.map(([, , expected]) => expected),
      more: false,
    });
    expect(reads.get("nothing", "missing")).toBe("missing");
  },
);
