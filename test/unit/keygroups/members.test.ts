// Why so long: each test is a part of the life of a replica, on the same two nodes.

import { afterEach, beforeEach, expect, test } from "vitest";

import { FRAME, OPERATION } from "../../../src/channel/frames.js";
import {
  encodeJsonOperation,
  encodeKeyOperation,
  encodeSet,
  type OnStale,
} from "../../../src/channel/operations.js";
import { decodeErrorReply, isErrorReply } from "../../../src/channel/replies.js";
import { parseNodeName, type KeygroupName } from "../../../src/core/ids.js";
import type { Session } from "../../../src/core/session.js";
import { TAG } from "../../../src/core/value.js";
import type { Asker } from "../../../src/keygroups/asker.js";
import type { Freshness } from "../../../src/keygroups/freshness.js";
import { MemoryLinkHub } from "../../../src/links/memory.js";
import { MemoryNamingService } from "../../../src/naming/memory.js";
import type { StorageDriver } from "../../../src/ports/storage.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { fastTime } from "../../helpers/fast-time.js";
import { framesTo, openKeygroupNode, type KeygroupNode } from "../../helpers/keygroup-node.js";
import { str, textOf } from "../../helpers/memory-keygroup.js";
import { until } from "../../helpers/node-calls.js";

const NAME = "data" as KeygroupName;
const [a, b] = [parseNodeName("a"), parseNodeName("b")];
/** Leases, heartbeats and retries take seconds. */
const TIME = fastTime(16);
const SETTINGS = { policy: "lww", ttlMs: 0 } as const;

/** A call that keeps what it is told. */
class TestAsker implements Asker {
  readonly idBytes = undefined;
  readonly session: Session | undefined;
  readonly isElsewhere: boolean;
  readonly bounds: number[] = [];
  readonly seen: Session[] = [];

  constructor(session?: Session, isElsewhere = false) {
    this.session = session;
    this.isElsewhere = isElsewhere;
  }

  noteRead(boundMs: number): void {
    this.bounds.push(boundMs);
  }

  noteSeen(session: Session): void {
    this.seen.push(session);
  }
}

let hub: MemoryLinkHub;
let service: MemoryNamingService;
let nodes: KeygroupNode[];
let left: KeygroupNode;
let right: KeygroupNode;

beforeEach(async () => {
  hub = new MemoryLinkHub();
  service = new MemoryNamingService({ timers: TIME.timers });
  nodes = [];
  left = await open("a");
  right = await open("b");
  hub.connect(a, b);
});
afterEach(async () => {
  for (const node of nodes) await node.close();
});

async function open(name: string, disk?: StorageDriver): Promise<KeygroupNode> {
  const node = await openKeygroupNode({ name, hub, service, time: TIME, ...(disk && { disk }) });
  nodes.push(node);
  return node;
}

async function set({ keygroups }: KeygroupNode, key: string, value: string): Promise<void> {
  await keygroups.find(NAME).write({ writes: [{ op: "set", key, value: str(value) }] });
}

async function holds({ keygroups }: KeygroupNode, key: string, value: string): Promise<void> {
  await until(key, () => textOf(keygroups.get(NAME)?.get(key)) === value);
}

test("the first node founds the keygroup, the second joins it, and both read and write", async () => {
  await left.keygroups.ensure(NAME);
  await set(left, "x", "1");
  await right.keygroups.ensure(NAME);
  expect(textOf(right.keygroups.get(NAME)?.get("x"))).toBe("1");
  await set(right, "y", "2");
  await holds(left, "y", "2");
});

test("two nodes that bring it at the same instant end with one keygroup and two members", async () => {
  await Promise.all([left.keygroups.ensure(NAME), right.keygroups.ensure(NAME)]);
  const record = left.directory.view.keygroup(NAME);
  expect(record?.generation).toBe(1);
  expect(record?.members.map(({ node }) => node).toSorted()).toEqual(["a", "b"]);
  await set(left, "x", "1");
  await holds(right, "x", "1");
});

test("a node is served what a function that runs there was granted, and nothing more", async () => {
  await until("a knows b", () => left.directory.view.node(b));
  const placement = { kind: "at", node: b } as const;
  const defaults = { settings: SETTINGS, placement, durability: "relaxed" } as const;
  const { control } = left.directory;
  await control.createKeygroup(NAME, defaults);
  await until("b serves", () => right.keygroups.get(NAME));
  const deploy = { deploy: "d", source: "s", runtime: "node", config: {}, deployedAtMs: 0 };
  for (const other of ["alarm", "lights"]) {
    await control.deployFunction(other as never, { ...deploy, deploy: other }, { nodes: [a] });
  }
  const grant = async (id: string, rights: ("read" | "write")[]): Promise<void> => {
    const { serial } = await control.grant(NAME, { kind: "function", id }, rights);
    await until("b knows", () => right.directory.view.keygroup(NAME)?.serial === serial);
  };
  const codes = async (): Promise<(string | undefined)[]> => {
    const replies = [
      await left.ask(NAME, (guest) => encodeKeyOperation(guest, 1, 0, OPERATION.get, "k")),
      await left.ask(NAME, (guest) =>
        encodeSet(guest, 2, 0, { key: "k", tag: TAG.str, value: "v" }),
      ),
      await left.ask(NAME, (guest) =>
        encodeJsonOperation(guest, 3, 0, { op: "increment", key: "n", n: 1 }),
      ),
    ];
    return replies.map((reply) =>
      isErrorReply(reply) ? String(decodeErrorReply(reply)["code"]) : undefined,
    );
  };
  const no = "ENOKI_FORBIDDEN";
  expect(await codes()).toEqual([no, no, no]);
  await grant("alarm", ["read"]);
  expect(await codes()).toEqual([undefined, no, no]);
  // Two functions with a right each are not one with both.
  await grant("lights", ["write"]);
  expect(await codes()).toEqual([undefined, undefined, no]);
  await grant("alarm", ["read", "write"]);
  expect(await codes()).toEqual([undefined, undefined, undefined]);
  await grant("alarm", []);
  await grant("lights", []);
  expect(await codes()).toEqual([no, no, no]);
  // A function that runs elsewhere is no reason to serve this node.
  await grant("somewhere-else", ["read"]);
  expect(await codes()).toEqual([no, no, no]);
});

test("a function whose data lie on another node uses them there", async () => {
  await until("a knows b", () => left.directory.view.node(b));
  const placement = { kind: "at", node: b } as const;
  const defaults = { settings: SETTINGS, placement, durability: "relaxed" } as const;
  await left.directory.control.createKeygroup(NAME, defaults);
  await until("b serves", () => right.keygroups.get(NAME));
  // A node that neither is a member nor runs the function has nothing to ask for.
  const refused = await left.ask(NAME, (guest) =>
    encodeKeyOperation(guest, 1, 0, OPERATION.get, "k"),
  );
  expect(isErrorReply(refused) && decodeErrorReply(refused)).toMatchObject({
    code: "ENOKI_FORBIDDEN",
  });
  const deploy = { deploy: "d", source: "s", runtime: "node", config: {}, deployedAtMs: 0 };
  await left.directory.control.deployFunction(NAME as never, deploy, { nodes: [a] });
  await until("b knows", () => right.directory.view.functions().length > 0);
  const written = await left.ask(NAME, (guest) =>
    encodeSet(guest, 2, 0, { key: "k", tag: TAG.str, value: "v" }),
  );
  expect(isErrorReply(written)).toBe(false);
  expect(textOf(right.keygroups.get(NAME)?.get("k"))).toBe("v");
  const got = await left.ask(NAME, (guest) => encodeKeyOperation(guest, 3, 0, OPERATION.get, "k"));
  expect(got.subarray(-1).toString()).toBe("v");
  hub.cut(a, b);
  const away = await left.ask(NAME, (guest) => encodeKeyOperation(guest, 4, 0, OPERATION.get, "k"));
  expect(decodeErrorReply(away)).toMatchObject({ code: "ENOKI_PEER_UNREACHABLE" });
});

test("a fresh read asks another replica where the one here cannot promise it, and a plain one does not", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(right, "k", "new");
  await holds(left, "k", "new");
  const [here, there] = [left, right].map(({ keygroups }) => keygroups.find(NAME).freshness);
  await until("b is fresh", () => (there as Freshness).boundMs < 5000);
  Object.defineProperty(here, "boundMs", { get: () => 10_000 });
  const asker = new TestAsker();
  const read = (onStale: OnStale, withinMs = 50): Promise<Buffer> =>
    left.ask(
      NAME,
      (guest) => {
        const fresh = { maxStalenessMs: 5000, onStale, withinMs };
        encodeKeyOperation(guest, 1, 0, OPERATION.get, "k", fresh);
      },
      asker,
    );
  for (const onStale of ["fail", "wait"] as const) {
    expect(decodeErrorReply(await read(onStale))).toMatchObject({ code: "ENOKI_STALE" });
  }
  expect(asker.bounds).toEqual([]);
  const served = await read("serve");
  expect([served.subarray(-3).toString(), asker.bounds]).toEqual(["new", [10_000]]);
  const elsewhere = await read("peer");
  expect(elsewhere.subarray(-3).toString()).toBe("new");
  expect(asker.bounds.at(-1)).toBeLessThanOrEqual(5000);
  hub.cut(a, b);
  expect(decodeErrorReply(await read("peer"))).toMatchObject({ code: "ENOKI_STALE" });
});

test("a call that is to go elsewhere does, and its session is known there and comes back", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await until("a knows that b serves", () => left.keygroups.serversOf(NAME).includes(b));
  await set(right, "k", "v");
  const seen = right.keygroups.find(NAME).sessions.seenAfter(undefined);
  const asker = new TestAsker(seen, true);
  const read = await left.ask(
    NAME,
    (guest) => encodeKeyOperation(guest, 1, 0, OPERATION.get, "k"),
    asker,
  );
  expect(read.subarray(-1).toString()).toBe("v");
  expect(asker.seen.at(-1)?.keygroups.get(NAME)?.generation).toBe(1);
  const never = { hlc: 0, keygroups: new Map([[NAME, { generation: 9, epoch: 1, seen: [] }]]) };
  const refused = await left.ask(
    NAME,
    (guest) => encodeKeyOperation(guest, 2, 0, OPERATION.get, "k"),
    new TestAsker(never, true),
  );
  expect(decodeErrorReply(refused)).toMatchObject({ code: "ENOKI_SESSION_NOT_REACHED" });
}, 30_000);

test("a watch at a member goes on until that is out of reach, and then says so", async () => {
  const placement = { kind: "at", node: b } as const;
  const defaults = { settings: SETTINGS, placement, durability: "relaxed" } as const;
  await until("a knows b", () => left.directory.view.node(b));
  await left.directory.control.createKeygroup(NAME, defaults);
  await until("b serves", () => right.keygroups.get(NAME));
  const deploy = { deploy: "d", source: "s", runtime: "node", config: {}, deployedAtMs: 0 };
  await left.directory.control.deployFunction(NAME as never, deploy, { nodes: [a] });
  await until("b knows", () => right.directory.view.functions().length > 0);
  const operations = left.operations(NAME);
  const frames: { type: number; id: number; payload: Buffer }[] = [];
  const back = framesTo((type, id, payload) => frames.push({ type, id, payload }));
  const send = (id: number, request: object): void =>
    encodeJsonOperation(
      framesTo((_type, number, payload) => operations.serve(back, number, undefined, payload)),
      id,
      0,
      request,
    );
  const events = () => frames.filter(({ type }) => type === FRAME.event);
  send(7, { op: "watch", prefix: "k" });
  await until("it has begun", () => frames.some(({ id }) => id === 7));
  await set(right, "k1", "v");
  await until("an event", () => events().length === 1);
  expect(events()[0]).toMatchObject({ id: 7 });
  expect(JSON.parse(events()[0]!.payload.toString())).toMatchObject({ key: "k1" });
  send(8, { op: "watch", prefix: "k" });
  await until("another", () => frames.some(({ id }) => id === 8));
  send(9, { op: "unwatch", watch: 8 });
  await until("it has ended", () => frames.some(({ id }) => id === 9));
  await set(right, "k2", "v");
  await until("one more event", () => events().length === 2);
  hub.cut(a, b);
  await until("the end", () => events().length === 3);
  expect(events().map(({ id }) => id)).toEqual([7, 7, 7]);
  expect(JSON.parse(events()[2]!.payload.toString())).toHaveProperty("error.code");
  operations.close();
});

test("who leaves does so once the others have everything, and exports nothing", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(left, "x", "1");
  await left.keygroups.leave(NAME);
  expect(left.exports.size).toBe(0);
  expect(left.keygroups.list()).toEqual([]);
  expect(textOf(right.keygroups.get(NAME)?.get("x"))).toBe("1");
});

test("who cannot bring its writes to the others stays; removed all the same, it exports them and may join again", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(left, "both", "1");
  await holds(right, "both", "1");
  await until("a knows that b has it", () => {
    const unreplicated = left.keygroups.local(NAME)?.replicator?.unreplicated();
    return unreplicated === 0;
  });
  hub.cut(a, b);
  await set(left, "alone", "2");
  await expect(left.keygroups.leave(NAME, { withinMs: 50 })).rejects.toMatchObject({
    code: "ENOKI_UNREPLICATED",
  });
  await set(left, "after", "3");
  await right.directory.control.removeMember(NAME, a);
  await until("a gives up", () => left.keygroups.list().length === 0);
  const lines = [...left.exports.values()]
    .flat()
    .map((line) => JSON.parse(line) as { key: string });
  expect(lines.map(({ key }) => key)).toEqual(expect.arrayContaining(["after", "alone"]));
  hub.connect(a, b);
  await left.keygroups.ensure(NAME);
  expect(textOf(left.keygroups.get(NAME)?.get("both"))).toBe("1");
  expect(left.keygroups.get(NAME)?.get("alone")).toBeUndefined();
});

test("a node that comes back with another disk takes the place of the lost member", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(right, "x", "1");
  await holds(left, "x", "1");
  const epoch = right.keygroups.local(NAME)?.identity.epoch;
  await nodes.pop()?.close();
  right = await open("b", createMemoryDriver());
  hub.connect(a, b);
  await until("b serves again", () => right.keygroups.get(NAME));
  expect(right.keygroups.local(NAME)?.identity.epoch).toBeGreaterThan(epoch ?? 0);
  expect(textOf(right.keygroups.get(NAME)?.get("x"))).toBe("1");
  await set(right, "y", "2");
  await holds(left, "y", "2");
});

test("what is dropped ends on all nodes, and what is made again is empty", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(left, "x", "1");
  await left.keygroups.remove(NAME);
  await until("b drops", () => right.keygroups.list().length === 0);
  await right.keygroups.ensure(NAME);
  expect(right.keygroups.get(NAME)?.get("x")).toBeUndefined();
  expect(right.keygroups.local(NAME)?.identity.generation).toBe(2);
});

test("a replica is taken from any node, once another one has everything", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(left, "x", "1");
  // b is asked, a leaves.
  const options = { isForced: false, withinMs: 5000 };
  const { lost, places } = await right.replicas.remove(NAME, a, options);
  expect(lost).toBe(0);
  expect(places.replicas).toEqual([{ node: b, durability: "relaxed", state: "serving" }]);
  expect(textOf(right.keygroups.get(NAME)?.get("x"))).toBe("1");
  expect(left.exports.size).toBe(0);
  await expect(right.replicas.remove(NAME, b, options)).rejects.toMatchObject({
    code: "ENOKI_LAST_REPLICA",
  });
  await expect(right.replicas.remove(NAME, a, options)).rejects.toMatchObject({
    code: "ENOKI_REPLICA_NOT_FOUND",
  });
  await right.replicas.add(NAME, a);
  await until("a serves again", () => left.keygroups.get(NAME));
  await expect(right.replicas.add(NAME, a, "strict")).rejects.toMatchObject({
    code: "ENOKI_UNSUPPORTED",
  });
});

test("a refusal says how many writes are only there, and so does a removal by force", async () => {
  await left.keygroups.ensure(NAME);
  await right.keygroups.ensure(NAME);
  await set(left, "both", "1");
  await holds(right, "both", "1");
  await until("all is known to be there", () => {
    return left.keygroups.local(NAME)?.replicator?.unreplicated() === 0;
  });
  hub.cut(a, b);
  await set(left, "alone", "2");
  await set(left, "alone", "3");
  await set(left, "also", "4");
  // One was written over: two values would be lost.
  await expect(
    left.replicas.remove(NAME, a, { isForced: false, withinMs: 50 }),
  ).rejects.toMatchObject({ code: "ENOKI_UNREPLICATED", extra: { unreplicated: 2 } });
  await set(left, "goes on", "5");
  // b cannot ask a, so nobody knows.
  await expect(
    right.replicas.remove(NAME, a, { isForced: false, withinMs: 50 }),
  ).rejects.toMatchObject({ code: "ENOKI_UNREPLICATED", extra: { unreplicated: null } });
  const { lost } = await left.replicas.remove(NAME, a, { isForced: true, withinMs: 50 });
  expect(lost).toBe(3);
});

test("a member that was removed while its node was away exports only what nobody else has, and may join again", async () => {
  const disk = createMemoryDriver();
  const third = await open("c", disk);
  const c = parseNodeName("c");
  hub.connect(a, c);
  hub.connect(b, c);
  for (const node of [left, right, third]) await node.keygroups.ensure(NAME);
  await set(third, "shared", "1");
  await holds(left, "shared", "1");
  await until("all is on other disks", () => {
    return third.keygroups.local(NAME)?.replicator?.unreplicated() === 0;
  });
  hub.cut(a, c);
  hub.cut(b, c);
  await set(third, "alone", "2");
  nodes.pop();
  const lost = third.keygroups.local(NAME)?.identity.epoch ?? 0;
  await third.close();
  const removed = await left.replicas.remove(NAME, c, { isForced: true, withinMs: 0 });
  expect(removed.lost).toBeUndefined();
  await until("the others have taken it out of their vectors", () => {
    const vectors = [left, right].map(
      (node) => node.keygroups.local(NAME)?.keygroup.replica.vector,
    );
    return vectors.every((vector) => vector?.hasLeft(lost));
  });
  await until("c is known to be away", () => !left.directory.view.isPresent(c));
  const opening = open("c", disk);
  await until("c is there", () => left.directory.view.isPresent(c));
  hub.connect(a, c);
  hub.connect(b, c);
  const back = await opening;
  expect(back.keygroups.local(NAME)?.isServing).not.toBe(true);
  await until("c has dropped its copy", () => back.keygroups.list().length === 0);
  const lines = [...back.exports.values()].flat().map((line) => JSON.parse(line) as unknown);
  expect(lines).toEqual([{ key: "alone", value: { t: "str", v: "2" } }]);
  expect(back.keygroups.get(NAME)).toBeUndefined();
  expect(textOf(left.keygroups.get(NAME)?.get("alone"))).toBe(textOf(undefined));
  await right.replicas.add(NAME, c);
  await until("c serves again", () => back.keygroups.get(NAME));
  expect(textOf(back.keygroups.get(NAME)?.get("shared"))).toBe("1");
});

test("data that are moved are only there once the old replica has everything, and come back", async () => {
  await left.keygroups.ensure(NAME);
  await set(left, "x", "1");
  await until("a knows b", () => left.directory.view.node(b));
  await right.replicas.move(NAME, { kind: "at", node: b });
  await until("a has left", () => right.directory.view.keygroup(NAME)?.members.length === 1);
  expect(textOf(right.keygroups.get(NAME)?.get("x"))).toBe("1");
  expect(left.keygroups.get(NAME)).toBeUndefined();
  expect(left.exports.size).toBe(0);
  await expect(left.replicas.add(NAME, a)).rejects.toMatchObject({
    code: "ENOKI_PLACEMENT_CONFLICT",
  });
  const deploy = { deploy: "d", source: "s", runtime: "node", config: {}, deployedAtMs: 0 };
  await left.directory.control.deployFunction(NAME as never, deploy, { nodes: [a] });
  await left.replicas.move(NAME, { kind: "replicate" });
  await until("a serves again", () => left.keygroups.get(NAME));
  expect(textOf(left.keygroups.get(NAME)?.get("x"))).toBe("1");
});

test("a keygroup whose only disk is lost begins anew where an operator says, and not while it is served", async () => {
  await left.keygroups.ensure(NAME);
  await set(left, "x", "1");
  await expect(right.replicas.refound(NAME, b, { isForced: false })).rejects.toMatchObject({
    code: "ENOKI_REPLICA_SERVES",
  });
  nodes.splice(nodes.indexOf(left), 1);
  await left.close();
  left = await open("a", createMemoryDriver());
  hub.connect(a, b);
  await until("a waits for somebody who has the data", async () => {
    return (await right.replicas.show(NAME)).replicas[0]?.state === "joining";
  });
  await right.replicas.refound(NAME, b, { isForced: false });
  await until("b serves", () => right.keygroups.get(NAME));
  await set(right, "y", "2");
  await until("a joins", () => left.keygroups.get(NAME));
  expect(textOf(left.keygroups.get(NAME)?.get("y"))).toBe("2");
});
