import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { AssertionError } from "../base/assert.js";
import { type Naming, NAMING_WRITES_MAX } from "../ports/naming.js";
import { declareCuts } from "./naming-contract-cuts.js";
import { until, WatchRecorder } from "./naming-recorder.js";

/** One process's connection to the service under test. */
export interface NamingConnection {
  readonly naming: Naming;
  /** Cuts this process off from the service. */
  cut(): void;
  /** Ends the cut. */
  heal(): void;
}

/** A naming service under test, with no records in it. */
export interface NamingUnderTest {
  /** Connects as a process of its own. */
  connect(): Promise<NamingConnection>;
  /** Makes the service forget what a watch would resume from. */
  forgetHistory(): Promise<void>;
  /** Removes everything; every connection is closed by then. */
  cleanup(): Promise<void>;
}

/** What the tests of the naming contract work on: it changes from test to test. */
export interface NamingContext {
  /** A connection that is closed after the test. */
  connect(): Promise<NamingConnection>;
  forgetHistory(): Promise<void>;
}

/** Writes one record, whatever there was before. */
export async function put(naming: Naming, key: string, value: string): Promise<void> {
  expect(await naming.transact([], [{ key, value }])).toBe(true);
}

/**
 * Declares the tests that every {@link Naming} has to pass, with vitest. `makeService` is called once
 * for each test. Leases last 3 s at most, or the tests take long.
 */
export function runNamingContract(name: string, makeService: () => Promise<NamingUnderTest>): void {
  describe(`naming contract: ${name}`, () => {
    let service: NamingUnderTest;
    let connections: NamingConnection[];
    const context: NamingContext = {
      connect: async () => {
        const connection = await service.connect();
        connections.push(connection);
        return connection;
      },
      forgetHistory: () => service.forgetHistory(),
    };

    beforeEach(async () => {
      service = await makeService();
      connections = [];
    });

    afterEach(async () => {
      for (const connection of connections) connection.heal();
      await Promise.all(connections.map(({ naming }) => naming.close()));
      await service.cleanup();
    });

    declareTransactions(context);
    declareWatches(context);
    declareCuts(context);
  });
}

function declareTransactions({ connect }: NamingContext): void {
  it("reads what lies below a prefix, in order of the keys, and nothing else", async () => {
    const { naming } = await connect();
    expect(await naming.read("")).toEqual([]);
    for (const key of ["b/2", "a/1", "b/10", "b", "c/ü€", "bb/1"])
      await put(naming, key, `of ${key}`);
    expect((await naming.read("b/")).map(({ key, value }) => [key, value])).toEqual([
      ["b/10", "of b/10"],
      ["b/2", "of b/2"],
    ]);
    expect((await naming.read("")).map(({ key }) => key)).toEqual([
      "a/1",
      "b",
      "b/10",
      "b/2",
      "bb/1",
      "c/ü€",
    ]);
    expect(await naming.read("c/ü")).toMatchObject([{ key: "c/ü€", value: "of c/ü€" }]);
  });

  it("keeps any text as a value, also none", async () => {
    const { naming } = await connect();
    const values = ["", "0", '{"a":"\\n\\u0000"}', "ü€😀", "x".repeat(100_000)];
    for (const [index, value] of values.entries()) await put(naming, `k${index}`, value);
    expect((await naming.read("k")).map(({ value }) => value)).toEqual(values);
  });

  it("raises the revision of a record with each change, also over its end", async () => {
    const { naming } = await connect();
    const revisions = [];
    for (const value of ["1", "2", undefined, "3"]) {
      expect(await naming.transact([], [{ key: "a", value }])).toBe(true);
      const [entry] = await naming.read("a");
      if (entry) revisions.push(entry.revision);
    }
    expect(revisions).toEqual([...new Set(revisions)].toSorted((a, b) => a - b));
    expect(revisions.length).toBe(3);
    expect(revisions[0]).toBeGreaterThan(0);
  });

  it("writes all of a transaction if its checks hold, and nothing if one does not", async () => {
    const { naming } = await connect();
    const create = (key: string): Promise<boolean> =>
      naming.transact(
        [
          { key, revision: 0 },
          { key: "other", revision: 0 },
        ],
        [
          { key, value: "made" },
          { key: `${key}/side`, value: "made too" },
        ],
      );
    expect(await create("a")).toBe(true);
    expect(await create("a")).toBe(false);
    const [a] = await naming.read("a");
    const change = [
      { key: "a", value: "changed" },
      { key: "a/side", value: undefined },
    ];
    expect(await naming.transact([{ key: "a", revision: (a?.revision ?? 0) + 1 }], change)).toBe(
      false,
    );
    expect((await naming.read("")).map(({ value }) => value)).toEqual(["made", "made too"]);
    expect(await naming.transact([{ key: "a", revision: a?.revision ?? 0 }], change)).toBe(true);
    expect((await naming.read("")).map(({ value }) => value)).toEqual(["changed"]);
    expect(await naming.transact([{ key: "gone", revision: 1 }], change)).toBe(false);
  });

  it("lets exactly one of many transactions at once win, and counts exactly by retries", async () => {
    const { naming } = await connect();
    const { naming: other } = await connect();
    const racers = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? naming : other));
    const won = await Promise.all(
      racers.map((racer, index) =>
        racer.transact([{ key: "a", revision: 0 }], [{ key: "a", value: String(index) }]),
      ),
    );
    expect(won.filter(Boolean).length).toBe(1);
    expect((await naming.read("a"))[0]?.value).toBe(String(won.indexOf(true)));

    await put(naming, "count", "0");
    const increment = async (racer: Naming): Promise<void> => {
      const [entry] = await racer.read("count");
      const isDone = await racer.transact(
        [{ key: "count", revision: entry?.revision ?? 0 }],
        [{ key: "count", value: String(Number(entry?.value) + 1) }],
      );
      if (!isDone) await increment(racer);
    };
    await Promise.all(racers.map(increment));
    expect((await naming.read("count"))[0]?.value).toBe("10");
  });

  it("takes an empty key, a key twice, no writes, and too many of them for bugs", async () => {
    const { naming } = await connect();
    const write = { key: "a", value: "1" };
    const tooMany = Array.from({ length: NAMING_WRITES_MAX + 1 }, (_, index) => ({
      key: `k${index}`,
      value: "1",
    }));
    for (const writes of [[{ key: "", value: "1" }], [write, write], [], tooMany]) {
      await expect(naming.transact([], writes)).rejects.toThrow(AssertionError);
    }
    expect(await naming.transact([], tooMany.slice(1))).toBe(true);
    expect((await naming.read("k")).length).toBe(NAMING_WRITES_MAX);
  });
}

function declareWatches({ connect, forgetHistory }: NamingContext): void {
  it("begins a watch with all there is, then tells each transaction once, whole and in order", async () => {
    const { naming } = await connect();
    const { naming: other } = await connect();
    await put(naming, "w/a", "0");
    await put(naming, "x/a", "0");
    const recorder = new WatchRecorder(other, "w/");
    await until(() => recorder.isReachable === true);
    expect(recorder.heard).toEqual(["reset", "up"]);
    expect(recorder.values()).toEqual({ "w/a": "0" });

    for (let i = 1; i <= 20; i++) await put(naming, "w/a", String(i));
    await put(naming, "x/a", "unseen");
    await naming.transact(
      [],
      [
        { key: "w/c", value: "1" },
        { key: "w/a", value: undefined },
        { key: "x/b", value: "unseen" },
        { key: "w/b", value: "1" },
      ],
    );
    const expected = Array.from({ length: 20 }, (_, index) => `w/a=${index + 1}`);
    await until(() => recorder.changesHeard().length === 21);
    expect(recorder.changesHeard()).toEqual([...expected, "w/c=1,-w/a,w/b=1"]);
    expect(recorder.known.get("w/b")?.revision).toBe((await other.read("w/b"))[0]?.revision);
  });

  it("misses nothing that is written while a watch begins", async () => {
    const { naming } = await connect();
    const recorders: WatchRecorder[] = [];
    for (let i = 0; i < 20; i++) {
      recorders.push(new WatchRecorder(naming, "w/"));
      await put(naming, `w/${i}`, "1");
    }
    const all = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`w/${index}`, "1"]));
    for (const recorder of recorders) {
      await until(() => recorder.known.size === 20);
      expect(recorder.values()).toEqual(all);
    }
  });

  it("tells nothing more to a watch that was ended", async () => {
    const { naming } = await connect();
    const ended = new WatchRecorder(naming, "w/");
    const going = new WatchRecorder(naming, "w/");
    await until(() => ended.isReachable === true && going.isReachable === true);
    ended.stop();
    await put(naming, "w/a", "1");
    await until(() => going.known.size === 1);
    expect(ended.heard).toEqual(["reset", "up"]);
  });

  it("does not disturb a watch that is up to date when the history is forgotten", async () => {
    const { naming } = await connect();
    const recorder = new WatchRecorder(naming, "w/");
    await put(naming, "w/a", "1");
    await until(() => recorder.known.size === 1 && recorder.isReachable === true);
    await forgetHistory();
    await put(naming, "w/b", "2");
    await until(() => recorder.known.size === 2);
    expect(recorder.heard.filter((event) => event === "reset")).toEqual(["reset"]);
  });
}
