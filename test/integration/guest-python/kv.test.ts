import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { OPERATION } from "../../../src/channel/frames.js";
import { FakeKeygroup } from "../../helpers/fake-keygroup.js";
import { PYTHON, PYTHON_MISSING } from "../../helpers/fake-node-python.js";
import { PythonRunner } from "../../helpers/python-runner.js";

let guest: PythonRunner;

beforeAll(async () => {
  if (PYTHON) guest = await PythonRunner.start();
});

beforeEach(() => {
  if (PYTHON) guest.keygroup = new FakeKeygroup();
});

afterAll(async () => {
  if (PYTHON) await guest.close();
});

const VALUES = [
  "''",
  "'é\\0😀'",
  "b''",
  "b'\\x00\\xff'",
  "{}",
  "[]",
  "None",
  "True",
  "0",
  "-5",
  "2.5",
  "1e300",
  "2**53-1",
  "-(2**53-1)",
  "{'a': [1, {'b': None}], 'é': ''}",
  "[[[[]]]]",
];

describe.skipIf(!PYTHON)(`Python's kv (${PYTHON_MISSING})`, () => {
  it.each(VALUES)("gives back %s as the type that was written", async (value) => {
    const program = `
value = ${value}
kv.set("k", value)
got = kv.get("k")
out = [got == value and type(got) is type(value), kv.entry("k").value == value, dict(kv.scan()) == {"k": value},
    kv.get_many(["k", "none"]) == {"k": value}, kv.update("k", lambda old: value if old == value else 1) == value or value is None]
`;
    expect(await guest.run(program)).toEqual([true, true, true, true, true]);
  });

  it("moves a value of 16 MiB", async () => {
    expect(
      await guest.run(
        "v = b'0123456789abcdef' * 2**20; kv.set('k', v); out = [kv.get('k') == v, kv.get('x', 1)]",
      ),
    ).toEqual([true, 1]);
  });

  it("takes bytearray and memoryview as bytes, and subclasses as what they are", async () => {
    expect(
      await guest.run(`
import collections, enum
class E(enum.IntEnum): A = 1
kv.set("a", bytearray(b"a")); kv.set("b", memoryview(b"b")); kv.set("c", collections.OrderedDict(x=E.A))
out = [str(kv.get("a")), str(kv.get("b")), kv.get("c")]`),
    ).toEqual(["b'a'", "b'b'", { x: 1 }]);
  });

  it("answers a missing key with the empty text, or with the default given", async () => {
    expect(
      await guest.run(
        "out = [kv.get('k'), kv.get('k', None), kv.get('k', default=7), kv.entry('k')]",
      ),
    ).toEqual(["", null, 7, null]);
  });

  it("keeps the empty text and None as values, not missing keys", async () => {
    expect(
      await guest.run(
        "kv.set('e', ''); kv.set('n', None); out = [kv.get('e', 1), kv.get('n', 1), kv.exists('n'), kv.exists('x')]",
      ),
    ).toEqual(["", null, true, false]);
  });

  it("raises what the node answers, with its code and its text", async () => {
    guest.keygroup.intercept = () => "ENOKI_DISK_FULL";
    expect(
      await guest.run("try: kv.set('k', 1)\nexcept kv.Error as e: out = [e.code, str(e)[:24]]"),
    ).toEqual(["ENOKI_DISK_FULL", "ENOKI_DISK_FULL: refused"]);
  });

  it("sets on conditions, and says the version", async () => {
    expect(
      await guest.run(`
first = kv.set("k", "a", if_absent=True)
second = kv.set("k", "b", if_version=first)
codes = []
for options in ({"if_version": first}, {"if_absent": True}):
    try: kv.set("k", "c", **options)
    except kv.Error as e: codes.append(e.code)
out = [codes, kv.get("k"), kv.entry("k").version == second, first != second]`),
    ).toEqual([["ENOKI_VERSION_CONFLICT", "ENOKI_VERSION_CONFLICT"], "b", true, true]);
  });

  it.each([
    ["200ms", 0.2],
    ["1.5s", 1.5],
    ["10m", 600],
    ["2h", 7200],
    ["7d", 604_800],
  ])("sets an expiry of %s, which entry shows in Unix seconds", async (ttl, seconds) => {
    const left = (await guest.run(`
kv.set("k", 1, ttl="${ttl}")
kv.set("forever", 1)
out = [kv.entry("k").expires_at - time.time(), kv.entry("forever").expires_at]`)) as number[];
    expect(left[0]).toBeGreaterThan(seconds - 5);
    expect(left[0]).toBeLessThanOrEqual(seconds + 0.01);
    expect(left[1]).toBeNull();
  });

  it("deletes, and says whether there was something", async () => {
    expect(
      await guest.run("kv.set('k', 1); out = [kv.delete('k'), kv.delete('k'), kv.exists('k')]"),
    ).toEqual([true, false, false]);
  });

  const KEYS = "for n in range(25): kv.set(f'k{n:02}', n)\n";

  it.each([
    ["kv.keys()", 0, 25],
    ["kv.keys('k03', 'k20')", 3, 20],
    ["kv.keys('k03', limit=12)", 3, 15],
    ["kv.keys(prefix='k1')", 10, 20],
    ["kv.keys(limit=0)", 0, 0],
    ["kv.keys(end='a')", 0, 0],
  ])("walks over all pages of %s, forth and back", async (expression, from, to) => {
    const expected = Array.from(
      { length: to - from },
      (_, n) => `k${String(from + n).padStart(2, "0")}`,
    );
    expect(await guest.run(`${KEYS}out = list(${expression})`)).toEqual(expected);
    if (!expression.includes("limit")) {
      const reversed = expression.replace(
        ")",
        `${expression.endsWith("()") ? "" : ", "}reverse=True)`,
      );
      expect(await guest.run(`${KEYS}out = list(${reversed})`)).toEqual(expected.toReversed());
    }
  });

  it("limits a reversed scan from the upper end, and gives pairs", async () => {
    expect(await guest.run(`${KEYS}out = list(kv.scan(limit=12, reverse=True))[-2:]`)).toEqual([
      ["k14", 14],
      ["k13", 13],
    ]);
  });

  it("reads a page only when it is needed", async () => {
    await guest.run(`${KEYS}pages = kv.scan()\nnext(pages)`);
    expect(guest.keygroup.seen.filter(({ kind }) => kind === OPERATION.scan)).toHaveLength(1);
  });

  it("updates atomically: None leaves, DELETE deletes, an exception aborts, a conflict repeats", async () => {
    const tries: number[] = [];
    guest.keygroup.intercept = (kind) => {
      if (kind !== OPERATION.set) return undefined;
      tries.push(kind);
      return tries.length <= 6 ? "ENOKI_VERSION_CONFLICT" : undefined;
    };
    expect(
      await guest.run(`
seen = []
def fn(v):
    seen.append(v)
    return (v or 0) + 1
out = [kv.update("k", fn), len(seen), kv.update("k", lambda v: None), kv.get("k"), kv.update("k", lambda v: kv.DELETE),
    kv.exists("k"), kv.update("k", lambda v: kv.DELETE), kv.update("k", lambda v: None)]
try: kv.update("k", lambda v: 1 / 0)
except ZeroDivisionError: out.append("aborted")
out.append(kv.exists("k"))`),
    ).toEqual([1, 7, null, 1, null, false, null, null, "aborted", false]);
  });

  it("raises other errors of an update at once", async () => {
    guest.keygroup.intercept = (kind) => (kind === OPERATION.set ? "ENOKI_DISK_FULL" : undefined);
    expect(
      await guest.run("try: kv.update('k', lambda v: 1)\nexcept kv.Error as e: out = e.code"),
    ).toBe("ENOKI_DISK_FULL");
  });

  it("updates once per key of effect, and a repeat gives the value that is there", async () => {
    expect(
      await guest.run(`
add = lambda v: (v or 0) + 1
out = [kv.update("k", add, once="a"), kv.update("k", add, once="a"), kv.update("k", add, once="b"), kv.get("k")]`),
    ).toEqual([1, 1, 2, 2]);
  });

  it("commits a batch as one request, and refuses it as a whole", async () => {
    const beganMs = Date.now();
    expect(
      await guest.run(`
kv.set("gone", 1)
v = kv.set("k", b"old")
done = (kv.batch().check("k", v).check("new", None).set("k", b"\\x00\\xff").set("new", {"a": 1}, ttl="5s")
    .delete("gone").increment("n", 3).send("other", "data").once("once").commit())
again = kv.batch().set("k", 1).once("once").commit()
try: kv.batch().check("k", v).set("new", 2).commit()
except kv.Error as e: code = e.code
out = [len(done.versions), done.versions[2], done.repeated, again.repeated, code, str(kv.get("k")), kv.get("new"),
    kv.exists("gone"), kv.get("n")]`),
    ).toEqual([
      4,
      null,
      false,
      true,
      "ENOKI_VERSION_CONFLICT",
      "b'\\x00\\xff'",
      { a: 1 },
      false,
      3,
    ]);
    expect(guest.keygroup.sends).toEqual([{ function: "other", data: { t: "str", v: "data" } }]);
    const batches = guest.keygroup.seen.filter(({ kind }) => kind === OPERATION.batch);
    expect(batches).toHaveLength(3);
    const { expiresAtMs } = guest.keygroup.values.get("new")!;
    expect(expiresAtMs).toBeGreaterThanOrEqual(beganMs + 5000);
    expect(expiresAtMs).toBeLessThanOrEqual(Date.now() + 5000);
  });

  it("speaks to counters, sets and maps in the words of the channel", async () => {
    expect(
      await guest.run(`
c, s, m = kv.counter("c"), kv.set_of("s"), kv.map("m")
out = [kv.increment("c"), kv.increment("c", 2.5), c.add(), c.add(-2), c.value()]
s.add("x"); s.remove([1]); s.value(); m.set("f", {"a": 1}); m.add("g"); m.remove("f"); m.value()`),
    ).toEqual([1, 3.5, 4.5, 2.5, 2.5]);
    const sent = guest.keygroup.seen.map(({ json }) => json);
    expect(sent.slice(0, 3)).toEqual([
      { op: "increment", key: "c", n: 1 },
      { op: "increment", key: "c", n: 2.5 },
      { op: "counter.add", key: "c", n: 1 },
    ]);
    expect(sent.slice(5)).toEqual([
      { op: "set.add", key: "s", member: "x" },
      { op: "set.remove", key: "s", member: [1] },
      { op: "set.value", key: "s" },
      { op: "map.set", key: "m", field: "f", value: { a: 1 } },
      { op: "map.add", key: "m", field: "g", n: 1 },
      { op: "map.remove", key: "m", field: "f" },
      { op: "map.value", key: "m" },
    ]);
  });

  it("gives all siblings, and its own keygroup by name", async () => {
    expect(await guest.run("out = [kv.siblings('k'), kv.keygroup('fn') is kv]")).toEqual([
      ["a", "b'\\x01\\x02'", [1]],
      true,
    ]);
  });

  it("needs one exchange for each plain operation", async () => {
    const before = guest.readsTotal;
    await guest.run("kv.set('k', 'v')\nfor _ in range(9): kv.get('k')");
    expect(guest.keygroup.seen).toHaveLength(10);
    // 10 operations and the answer, each of which came when nothing else was on its way.
    expect(guest.readsTotal - before).toBe(11);
  });

  it("iterates over the events of a watch until it is closed", async () => {
    const program = `
with kv.watch(prefix="a") as events:
    for event in events:
        out.append([event.key, event.value, event.version, event.deleted])
        if event.deleted: break
`;
    const outcome = guest.run(program);
    await guest.until(() => guest.keygroup.watches.size === 1);
    const [[id, prefix]] = [...guest.keygroup.watches] as [[number, string]];
    expect(prefix).toBe("a");
    guest.event(id, { key: "a1", value: { t: "bytes", v: "AQI=" }, version: "v1" });
    guest.event(id, { key: "a2", value: { t: "json", v: null }, version: "v2" });
    guest.event(id, { key: "a1", value: null, version: "v3" });
    expect(await outcome).toEqual([
      ["a1", "b'\\x01\\x02'", "v1", false],
      ["a2", null, "v2", false],
      ["a1", null, "v3", true],
    ]);
    expect(guest.keygroup.watches.size).toBe(0);
  });

  it("ends a watch that was forgotten at its next event", async () => {
    await guest.run("kv.watch()");
    const [id] = [...guest.keygroup.watches.keys()] as [number];
    guest.event(id, { key: "a", value: null, version: "v" });
    await guest.run("kv.get('k')");
    expect(guest.keygroup.watches.size).toBe(0);
  });
});
