import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";

import type { EnokiError } from "../../../src/core/errors.js";
import { EtcdNaming, type EtcdNamingOptions } from "../../../src/naming/etcd/etcd-naming.js";
import { isOutcomeUnknown, type Naming } from "../../../src/ports/naming.js";
import { until, WatchRecorder } from "../../../src/testing/naming-recorder.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { TcpProxy } from "../../helpers/tcp-proxy.js";

const started: TestEtcd[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((etcd) => etcd.remove()));
});

async function start(size = 1): Promise<TestEtcd[]> {
  const etcds = await TestEtcd.startCluster(size);
  started.push(...etcds);
  return etcds;
}

function open(ports: readonly number[], options: Partial<EtcdNamingOptions> = {}): EtcdNaming {
  const naming = new EtcdNaming({
    endpoints: ports.map((port) => ({ host: "127.0.0.1", port })),
    root: "test",
    leaseMs: 3000,
    ...options,
  });
  onTestFinished(() => naming.close());
  return naming;
}

async function failureOf(work: Promise<unknown>): Promise<EnokiError> {
  return work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error: unknown) => error as EnokiError,
  );
}

/** Sets `key` to each number up to `last`, in order, whatever happens on the way; each once. */
async function countTo(naming: Naming, key: string, last: number): Promise<void> {
  for (let next = 1; next <= last;) {
    try {
      const [entry] = await naming.read(key);
      next = Number(entry?.value ?? 0) + 1;
      if (next > last) return;
      await naming.transact(
        [{ key, revision: entry?.revision ?? 0 }],
        [{ key, value: String(next) }],
      );
    } catch (error) {
      expect((error as EnokiError).code).toBe("ENOKI_NAMING_UNAVAILABLE");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function numbers(last: number): string[] {
  return Array.from({ length: last }, (_, index) => `count=${index + 1}`);
}

describe.skipIf(ETCD_MISSING)(`faults of a real etcd${ETCD_MISSING}`, () => {
  test("killed and restarted ten times under a watch and transactions, it tells every change once", async () => {
    const [etcd] = (await start()) as [TestEtcd];
    const naming = open([etcd.port]);
    const recorder = new WatchRecorder(open([etcd.port]), "count");
    const counting = countTo(naming, "count", 1500);
    for (let round = 1; round <= 10; round++) {
      const goal = recorder.changesHeard().length + 40;
      await until(() => recorder.changesHeard().length >= goal, `round ${round} goes on`);
      await etcd.kill();
      await etcd.restart();
    }
    await counting;
    await until(() => recorder.changesHeard().length === 1500);
    expect(recorder.changesHeard()).toEqual(numbers(1500));
    expect(recorder.heard.filter((event) => event === "reset")).toEqual(["reset"]);
  });

  test("stopped for a while, it fails calls at once and keeps leases; all resumes", async () => {
    const [etcd] = (await start()) as [TestEtcd];
    // The shortest that etcd gives.
    const leaseMs = 1000;
    const naming = open([etcd.port], { leaseMs });
    const recorder = new WatchRecorder(naming, "");
    await naming.transact([], [{ key: "node", value: "1", isLeased: true }]);
    await until(() => recorder.known.size === 1 && recorder.isReachable === true);
    await etcd.kill();
    const killedMs = performance.now();
    await until(() => recorder.isReachable === false);
    const begunMs = performance.now();
    for (let i = 0; i < 10; i++) {
      const error = await failureOf(naming.transact([], [{ key: "a", value: "1" }]));
      expect(error.code).toBe("ENOKI_NAMING_UNAVAILABLE");
      expect(isOutcomeUnknown(error)).toBe(false);
    }
    expect(performance.now() - begunMs).toBeLessThan(1000);
    // Longer than the lease, which is the time of another program.
    const restMs = killedMs + leaseMs * 1.3 - performance.now();
    await new Promise((resolve) => setTimeout(resolve, restMs));
    await etcd.restart();
    await until(() => recorder.isReachable === true);
    await countTo(naming, "count", 3);
    await until(() => recorder.known.size === 2 && recorder.values()["count"] === "3");
    expect(recorder.values()).toEqual({ node: "1", count: "3" });
  });

  test("hung, it fails calls within their deadline and is told of; all resumes", async () => {
    const [etcd] = (await start()) as [TestEtcd];
    const naming = open([etcd.port], { deadlineMs: 500 });
    const recorder = new WatchRecorder(naming, "");
    await until(() => recorder.isReachable === true);
    etcd.freeze(true);
    const begunMs = performance.now();
    expect((await failureOf(naming.read(""))).code).toBe("ENOKI_NAMING_UNAVAILABLE");
    expect(performance.now() - begunMs).toBeLessThan(1500);
    await until(() => recorder.isReachable === false);
    etcd.freeze(false);
    await until(() => recorder.isReachable === true);
    await countTo(naming, "count", 3);
    await until(() => recorder.values()["count"] === "3");
  });

  test("a transaction whose connection broke after it was sent rejects with unknown outcome", async () => {
    const [etcd] = (await start()) as [TestEtcd];
    const proxy = await new TcpProxy(() => etcd.port).listen();
    onTestFinished(() => proxy.close());
    const naming = open([proxy.port]);
    await naming.read("");
    // Replies stay away, so that the transaction is done and nobody says so.
    proxy.onRequest = (text) => {
      if (text.includes("/v3/kv/txn")) proxy.muteReplies();
    };
    const transaction = failureOf(naming.transact([], [{ key: "a", value: "1" }]));
    const direct = new WatchRecorder(open([etcd.port]), "");
    await until(() => direct.values()["a"] === "1");
    proxy.cut();
    expect(isOutcomeUnknown(await transaction)).toBe(true);
    proxy.onRequest = undefined;
    proxy.heal();
    expect(await naming.read("a")).toMatchObject([{ key: "a", value: "1" }]);
  });

  test("compacted at the very deletion that a watch missed, it still tells of it", async () => {
    const [etcd] = (await start()) as [TestEtcd];
    const proxy = await new TcpProxy(() => etcd.port).listen();
    onTestFinished(() => proxy.close());
    const direct = open([etcd.port]);
    const recorder = new WatchRecorder(open([proxy.port]), "");
    await direct.transact([], [{ key: "a", value: "1" }]);
    await until(() => recorder.values()["a"] === "1" && recorder.isReachable === true);
    proxy.cut();
    await until(() => recorder.isReachable === false);
    await direct.transact([], [{ key: "a", value: undefined }]);
    etcd.compact();
    proxy.heal();
    await until(() => recorder.values()["a"] === undefined);
  });

  test("made anew without its data, it is told from the start", async () => {
    const [etcd] = (await start()) as [TestEtcd];
    const naming = open([etcd.port]);
    const recorder = new WatchRecorder(naming, "");
    await naming.transact([], [{ key: "node", value: "1", isLeased: true }]);
    await countTo(naming, "count", 20);
    await until(() => recorder.values()["count"] === "20");
    await etcd.kill();
    await rm(join(etcd.dir, "data"), { recursive: true });
    await etcd.restart();
    await until(() => recorder.values()["count"] === undefined && recorder.isReachable === true);
    await until(() => recorder.values()["node"] === "1", "what is leased is written again");
    expect(recorder.values()).toEqual({ node: "1" });
  });

  test("a cluster of three goes on when the member in use is killed, or hangs", async () => {
    const members = await start(3);
    const ports = members.map(({ port }) => port);
    const naming = open(ports, { deadlineMs: 3000 });
    const recorder = new WatchRecorder(naming, "count");
    await countTo(naming, "count", 50);
    await until(() => recorder.changesHeard().length === 50);
    const counting = countTo(naming, "count", 300);
    await until(() => recorder.changesHeard().length > 80);
    await members[0]?.kill();
    await counting;
    await until(() => recorder.changesHeard().length === 300);
    await members[0]?.restart();
    await countTo(naming, "count", 310);
    members[1]?.freeze(true);
    await countTo(open([...ports].reverse(), { deadlineMs: 3000 }), "count", 320);
    await until(() => recorder.changesHeard().length === 320);
    expect(recorder.changesHeard()).toEqual(numbers(320));
  });
});
