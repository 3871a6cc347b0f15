import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPrng } from "../../../src/base/prng.js";
import type { Row, Storage } from "../../../src/ports/storage.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { FakeKeygroup } from "../../helpers/fake-keygroup.js";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";

/** Runs statements that share their names; the list `out` is the result. */
const PROGRAM = `
import hashlib, json, kv
from enoki_kv.store_file import FAILURES, OVERTAKEN, ROW_KEY, StoreFile, row_key_end

def shown(data, start, end):
    return data[start:end].hex()

def get(file, key):
    found = file.get(bytes.fromhex(key))
    return found and shown(*found)

def rows(file, start, end, reverse):
    found = file.rows(bytes.fromhex(start), bytes.fromhex(end), reverse)
    return digest("\\n".join([shown_row(*row) for row in found]))

def shown_row(row, large):
    end = row_key_end(row)
    return row[ROW_KEY:end].hex() + "=" + (shown(*large) if large else row[end:].hex())

def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()

names = globals()
def call(i):
    names["out"] = []
    exec(i, names)
    return json.dumps(out)
`;

const FIRST = "00";
const LAST = "ff";

let guest: PythonGuest;
let dir: string;
let storage: Storage;

beforeAll(async () => {
  if (!PYTHON) return;
  guest = new PythonGuest();
  await guest.loadSource(PROGRAM);
});

afterAll(() => guest?.close());

beforeEach(async () => {
  if (!PYTHON) return;
  guest.keygroup = new FakeKeygroup();
  dir = mkdtempSync(join(tmpdir(), "enoki-store-file-"));
  storage = await createLmdbDriver({ dir }).open("s");
  await run(`file = StoreFile(${literal(join(dir, "s", "data.mdb"))})`);
});

afterEach(async () => {
  if (!PYTHON) return;
  await run("file.close()");
  await storage.close();
  rmSync(dir, { recursive: true, force: true });
});

async function run<T = unknown[]>(program: string): Promise<T> {
  const { text, failed } = await guest.call(program);
  expect(failed?.traceback).toBeUndefined();
  return JSON.parse(text as string) as T;
}

/** JSON without null and booleans is Python. */
const literal = (value: unknown): string => JSON.stringify(value);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** What the guest says of the same rows: they are too long for an answer. */
function digest(rows: Iterable<Row>): string {
  const lines = Array.from(rows, ({ key, value }) => `${hex(key)}=${hex(value)}`);
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

function put(key: string, value: Uint8Array | string): void {
  storage.transact((transaction) => transaction.put(Buffer.from(key), Buffer.from(value)));
}

const readOne = (key: string): string => `file.read(get, ${literal(hex(Buffer.from(key)))})`;

describe.skipIf(!PYTHON)(`a store's file that Python reads (${PYTHON_MISSING})`, () => {
  test("is empty before the first write, and shows each commit at once", async () => {
    expect(
      await run(`out = [file.read(rows, "${FIRST}", "${LAST}", False), ${readOne("key")}]`),
    ).toEqual([digest([]), null]);
    for (let i = 0; i < 200; i++) {
      put("key", `value ${i}`);
      expect(await run(`out = [${readOne("key")}]`)).toEqual([hex(Buffer.from(`value ${i}`))]);
    }
  });

  test("equals what LMDB reads, whatever was put and deleted, near or far from the start", async () => {
    const { below: pick } = createPrng(7);
    const padding = [0, 90, 180, 900];
    const someKey = (): Buffer =>
      Buffer.from(`k${pick(3000)}`.padEnd(2 + (padding[pick(4)] as number), "x"));
    for (let round = 0; round < 15; round++) {
      storage.transact((transaction) => {
        for (let i = 0; i < 100; i++) {
          const key = someKey();
          const sizeBytes = pick(20) === 0 ? pick(20_000) + 1 : pick(60) + 1;
          if (pick(4) === 0) transaction.delete(key);
          else transaction.put(key, Buffer.alloc(sizeBytes, i));
        }
      });
      const keys = Array.from({ length: 8 }, someKey);
      const ranges = keys.flatMap((key, i) => {
        const [start, end] = [key, keys[(i + 1) % keys.length] as Buffer].sort(Buffer.compare) as [
          Buffer,
          Buffer,
        ];
        return [false, true].map((reverse) => ({ start, end, reverse }));
      });
      // Twice: the second time, pages that were searched often enough have their keys in a list.
      const [found, scanned] = await run<[unknown, unknown]>(`
keys = ${literal(keys.map(hex))}
ranges = ${literal(ranges.map(({ start, end, reverse }) => [hex(start), hex(end), Number(reverse)]))}
once = lambda: ([file.read(get, key) for key in keys], [file.read(rows, *range) for range in ranges])
out = once()
assert out == once()`);
      const stored = keys.map((key) => storage.get(key));
      expect(found).toEqual(stored.map((value) => (value ? hex(value) : null)));
      expect(scanned).toEqual(ranges.map((range) => digest(storage.range(range))));
    }
    for (const reverse of [false, true]) {
      const [all] = await run(
        `out = [file.read(rows, "${FIRST}", "${LAST}", ${reverse ? "True" : "False"})]`,
      );
      expect(all).toBe(digest(storage.range({ reverse })));
    }
  });

  test("is read behind the end of its map when it has grown, a little or by a lot, and few pages are held", async () => {
    put("first", "x");
    expect(await run(`out = [${readOne("first")}]`)).toEqual([hex(Buffer.from("x"))]);
    for (const [from, to] of [
      [0, 5],
      [5, 100],
      [100, 3000],
    ] as const) {
      storage.transact((transaction) => {
        for (let i = from; i < to; i++) {
          transaction.put(Buffer.from(`k${i}`), Buffer.alloc(1500, i));
        }
      });
      const wrong = await run(`
for i in range(${to}):
    if file.read(get, (b"k%d" % i).hex()) != (bytes([i % 256]) * 1500).hex():
        out.append(i)`);
      expect(wrong).toEqual([]);
    }
    const [held] = await run("out = [file.pages_held]");
    expect(held).toBeLessThan(70);
  });

  test("is read again when two commits overtake a read, and given up when each read is overtaken", async () => {
    let commits = 0;
    // The guest asks for a commit in the middle of its read.
    guest.keygroup.intercept = () => {
      put("key", `${++commits}`);
      return undefined;
    };
    const readWhile = async (meanwhile: string): Promise<unknown> => {
      put("key", `${++commits}`);
      const [found, runs] = await run(`
runs = 0
def work(file):
    global runs
    runs += 1
    for _ in range(${meanwhile}):
        kv.set("commit", "")
    return get(file, b"key".hex())
found = file.read(work)
out = ["overtaken" if found is OVERTAKEN else bytes.fromhex(found).decode(), runs]`);
      return { found, runs };
    };
    expect(await readWhile("2 if runs == 1 else 0")).toEqual({ found: `${commits}`, runs: 2 });
    expect(await readWhile("2")).toEqual({ found: "overtaken", runs: 3 });
    expect(await readWhile("1")).toEqual({ found: `${commits - 1}`, runs: 1 });
  });

  test("keeps nothing of a read that an exception of the function has ended", async () => {
    guest.keygroup.intercept = () => {
      put("key", "new");
      put("other", "new");
      return undefined;
    };
    put("key", "old");
    // Such as one that a signal's handler raises; the page that is kept then was written over since.
    const outcome = await run(`
def work(file):
    kv.set("commit", "")
    get(file, b"key".hex())
    raise KeyboardInterrupt
try:
    file.read(work)
except KeyboardInterrupt:
    out = [file.pages_held, bytes.fromhex(${readOne("key")}).decode()]`);
    expect(outcome).toEqual([0, "new"]);
  });

  test("passes on a failure of a whole state, and reads again after one of a torn state", async () => {
    guest.keygroup.intercept = () => {
      put("key", "new");
      put("key", "newer");
      return undefined;
    };
    put("key", "old");
    const outcome = await run(`
def fail(file):
    get(file, b"key".hex())
    raise IndexError
try:
    file.read(fail)
except FAILURES:
    out.append("failed")
runs = 0
def work(file):
    global runs
    runs += 1
    get(file, b"key".hex())
    if runs > 1:
        return "well"
    kv.set("commit", "")
    raise IndexError
file = StoreFile(${literal(join(dir, "s", "data.mdb"))})
out.append(file.read(work))`);
    expect(outcome).toEqual(["failed", "well"]);
  });

  test("is refused when it is no store, a part of one, none at all, or one that was dropped", async () => {
    const driver = createLmdbDriver({ dir });
    const gone = await driver.open("gone");
    gone.transact((transaction) => transaction.put(Buffer.from("key"), Buffer.from("v")));
    const dropped = join(dir, "gone", "data.mdb");
    const read = `.read(get, b"key".hex())`;
    expect(await run(`gone = StoreFile(${literal(dropped)})\nout = [gone${read}]`)).toEqual(["76"]);
    await gone.close();
    await driver.drop("gone");
    writeFileSync(join(dir, "empty"), "");
    writeFileSync(join(dir, "short"), Buffer.alloc(100));
    writeFileSync(join(dir, "other"), Buffer.alloc(100_000, "other"));
    const outcome = await run(`
for open in [lambda: gone] + [lambda name=name: StoreFile(${literal(dir)} + name) for name in ["/empty", "/short", "/other", "/none"]]:
    try:
        out.append(open()${read})
    except FAILURES as error:
        out.append("refused")`);
    expect(outcome).toEqual(Array(5).fill("refused"));
  });
});
