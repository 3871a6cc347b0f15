import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPrng } from "../../../src/base/prng.js";
import { LmdbFile, type FileValue } from "../../../src/guest/lmdb-file.js";
import type { Row, Storage } from "../../../src/ports/storage.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";

const OVERTAKEN = "overtaken";
const FIRST = Buffer.from([0]);
const LAST = Buffer.from([0xff]);

let dir: string;
let storage: Storage;
let file: LmdbFile;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "enoki-lmdb-file-"));
  storage = await createLmdbDriver({ dir }).open("s");
  file = new LmdbFile(join(dir, "s", "data.mdb"));
});

afterEach(async () => {
  file.close();
  await storage.close();
  rmSync(dir, { recursive: true, force: true });
});

function plain(rows: Iterable<Row>): string {
  const texts = Array.from(rows, ({ key, value }) =>
    [key, value].map((bytes) => Buffer.from(bytes).toString("hex")).join("="),
  );
  return texts.join("\n");
}

function text(value: FileValue | undefined): string | undefined {
  return value?.bytes.toString("utf8", value.from, value.to);
}

function hex(value: FileValue | undefined): string | undefined {
  return value?.bytes.toString("hex", value.from, value.to);
}

function fromFile(start: Uint8Array, end: Uint8Array, reverse: boolean): unknown {
  return file.read((state) => {
    const rows: Row[] = [];
    state.visit(start, end, reverse, ({ page, keyFrom, keyTo, value }) => {
      const { bytes, from, to } = value;
      rows.push({ key: page.subarray(keyFrom, keyTo), value: bytes.subarray(from, to) });
      return true;
    });
    return plain(rows);
  }, OVERTAKEN);
}

describe("an LMDB file that is read directly", () => {
  test("holds few pages, however many are read of a state that does not change", () => {
    const key = (i: number): Buffer => Buffer.from(`key ${String(i).padStart(5, "0")}`);
    storage.transact((transaction) => {
      for (let i = 0; i < 5000; i++) transaction.put(key(i), Buffer.alloc(200, i));
    });
    for (let i = 0; i < 5000; i++) {
      const found = file.read((state) => hex(state.get(key(i))), OVERTAKEN);
      expect(found).toBe(Buffer.alloc(200, i).toString("hex"));
    }
    expect(file.pagesHeld).toBeLessThan(70);
  });

  test("is empty before the first write, and shows each commit at once", () => {
    expect(fromFile(FIRST, LAST, false)).toBe("");
    for (let i = 0; i < 500; i++) {
      const value = Buffer.from(`value ${i}`);
      storage.transact((transaction) => transaction.put(Buffer.from("key"), value));
      expect(file.read((state) => text(state.get(Buffer.from("key"))), OVERTAKEN)).toBe(
        `value ${i}`,
      );
    }
  });

  test("equals what LMDB reads, whatever was put and deleted, near or far from the start", () => {
    const { below: pick } = createPrng(7);
    const someKey = (): Buffer => Buffer.from(`k${pick(3000)}`.padEnd(2 + pick(3) * 90, "x"));
    for (let round = 0; round < 25; round++) {
      storage.transact((transaction) => {
        for (let i = 0; i < 100; i++) {
          const key = someKey();
          if (pick(4) === 0) transaction.delete(key);
          else
            transaction.put(key, Buffer.alloc(pick(20) === 0 ? pick(20_000) + 1 : pick(60) + 1, i));
        }
      });
      for (let i = 0; i < 12; i++) {
        const key = someKey();
        const stored = storage.get(key);
        const found = file.read((state) => hex(state.get(key)) ?? "none", OVERTAKEN);
        expect(found).toBe(stored ? Buffer.from(stored).toString("hex") : "none");
        const [start, end] = [someKey(), someKey()].sort((a, b) => a.compare(b)) as [
          Buffer,
          Buffer,
        ];
        for (const reverse of [false, true]) {
          expect(fromFile(start, end, reverse)).toBe(plain(storage.range({ start, end, reverse })));
        }
      }
    }
    for (const reverse of [false, true]) {
      expect(fromFile(FIRST, LAST, reverse)).toBe(plain(storage.range({ reverse })));
    }
  });

  test("is read again when two commits overtake a read, and given up when each read is overtaken", () => {
    const key = Buffer.from("key");
    let commits = 0;
    const put = (): void =>
      storage.transact((transaction) => transaction.put(key, Buffer.from(`${++commits}`)));
    const readWhile = (meanwhile: (run: number) => number): { found: unknown; runs: number } => {
      let runs = 0;
      put();
      const found = file.read((state) => {
        runs++;
        for (let i = meanwhile(runs); i > 0; i--) put();
        return text(state.get(key));
      }, OVERTAKEN);
      return { found, runs };
    };
    expect(readWhile((run) => (run === 1 ? 2 : 0))).toEqual({ found: `${commits}`, runs: 2 });
    expect(readWhile(() => 2)).toEqual({ found: OVERTAKEN, runs: 3 });
    expect(readWhile(() => 1)).toEqual({ found: `${commits - 1}`, runs: 1 });
  });

  test("passes on an error of a whole state, and reads again after one of a torn state", () => {
    const key = Buffer.from("key");
    const put = (): void =>
      storage.transact((transaction) => transaction.put(key, Buffer.from("v")));
    put();
    const fail = (state: { get(key: Uint8Array): unknown }): never => {
      state.get(key);
      throw new Error("broken");
    };
    expect(() => file.read(fail, OVERTAKEN)).toThrow("broken");
    put();
    let runs = 0;
    const result = file.read((state) => {
      state.get(Buffer.from("other"));
      if (++runs > 1) return "well";
      put();
      put();
      return fail(state);
    }, OVERTAKEN);
    expect(result).toBe("well");
  });

  test("is refused when it is no store, or one that was dropped", async () => {
    const driver = createLmdbDriver({ dir });
    const gone = await driver.open("gone");
    gone.transact((transaction) => transaction.put(Buffer.from("key"), Buffer.from("v")));
    const reader = new LmdbFile(join(dir, "gone", "data.mdb"));
    const read = (): unknown =>
      reader.read((state) => text(state.get(Buffer.from("key"))), OVERTAKEN);
    expect(read()).toBe("v");
    await gone.close();
    await driver.drop("gone");
    expect(read).toThrow("not a store");
    reader.close();
  });
});
