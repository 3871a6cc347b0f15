import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { createAuthority } from "../../../src/certs/certificates.js";
import { HLC_MAX, hlcFromMs } from "../../../src/core/hlc.js";
import { parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { Vector } from "../../../src/core/vector.js";
import { decodeMessage } from "../../../src/core/wire/messages.js";
import {
  encodeOperation,
  OPERATION_METHOD,
} from "../../../src/keygroups/remote/operation-request.js";
import { ETCD_MISSING } from "../../helpers/etcd.js";
import { readRecord } from "../../helpers/faults/cluster-records.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportRow } from "../../helpers/faults/fault-report.js";
import { HandmadeMember } from "../../helpers/faults/handmade-member.js";
import { until } from "../../helpers/node-calls.js";
import { credentialsOf, startNode, type LinkedNode } from "../links/node-links.js";
import { helloTo, rawPeer, type RawPeer } from "../links/raw-peer.js";

const cloud = parseNodeName("cloud");
const YEAR_MS = 365 * 86_400_000;

/** A frame of a link: lane and length, which may be a lie. */
function frame(head: number, bytes: Uint8Array, sizeBytes = bytes.length): Buffer {
  const start = Buffer.alloc(5);
  start[0] = head;
  start.writeUInt32LE(sizeBytes, 1);
  return Buffer.concat([start, bytes]);
}

describe.skipIf(ETCD_MISSING !== "")(`peers that do what none may${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;
  /** What a member says whose node is gone and whose certificate a test has. */
  let mallory: HandmadeMember;
  /** Keys that were written after each of these peers. */
  const written: string[] = [];
  /** The longest time that it then took until both replicas were equal. */
  let longestMs = 0;

  beforeAll(async () => {
    cluster = await FaultCluster.open(["cloud", "edge1", "mallory"]);
    await cluster.equal();
    await cluster.kill("mallory");
    mallory = new HandmadeMember(
      await readRecord(cluster.etcd, "keygroup", "keygroups/work"),
      "mallory",
    );
    await cluster.node("cloud").client.kv("work").set("lasting", "1", { ttl: "30m" });
  });
  afterAll(() => cluster?.remove());

  let loggedBefore = 0;
  beforeEach(() => {
    loggedBefore = log().length;
  });

  function log(): string {
    return cluster.node("cloud").program.log();
  }

  async function logged(pattern: RegExp): Promise<void> {
    await until(`the log says ${pattern}`, () => pattern.test(log().slice(loggedBefore)));
  }

  const dialled = () => ({ name: cloud, address: cluster.linkAddress("cloud") });

  /** The cloud still serves, and its link to the edge, which stood all along, still replicates. */
  async function expectUnharmed(): Promise<void> {
    const key = `after-${written.length}`;
    written.push(key, `${key}-back`);
    const [here, there] = ["cloud", "edge1"].map((name) => cluster.node(name).client.kv("work"));
    await here?.set(key, "1");
    await there?.set(`${key}-back`, "1");
    const { afterMs, dump } = await cluster.equal(["cloud", "edge1"]);
    longestMs = Math.max(longestMs, afterMs);
    for (const one of written) expect(dump.values.get(one), one).toBe("1");
    expect([...dump.values.keys()].filter((found) => found.startsWith("forged"))).toEqual([]);
    expect(dump.values.get("lasting")).toBe("1");
  }

  /** A node with that certificate, which sends what a test says over a good link. */
  async function linked(name: string): Promise<LinkedNode> {
    const node = await startNode(name, {
      credentials: cluster.credentialsOf(name),
      listen: undefined,
    });
    node.links.setTarget(cloud, [dialled().address]);
    await node.seen.seen("up");
    return node;
  }

  /** A link as that node, spoken by hand. */
  async function rawLink(name: string): Promise<RawPeer> {
    const peer = await rawPeer(dialled(), cluster.credentialsOf(name));
    peer.socket.send(helloTo(dialled(), { node: name }));
    await peer.next();
    peer.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() }));
    return peer;
  }

  describe("refused before there is a link", () => {
    test("a certificate of another authority", async () => {
      const other = createAuthority({ nowMs: Date.now(), validMs: YEAR_MS });
      const credentials = {
        ...credentialsOf("edge1", other),
        ca: cluster.credentialsOf("edge1").ca,
      };
      await expect(rawPeer(dialled(), credentials)).rejects.toThrow();
      await logged(/no link/);
      await expectUnharmed();
    });

    test("another node's certificate", async () => {
      const peer = await rawPeer(dialled(), cluster.credentialsOf("mallory"));
      peer.socket.send(helloTo(dialled(), { node: "edge1" }));
      expect(await peer.closed).toEqual({
        code: 4002,
        reason: "the certificate is of mallory, and it says it is edge1",
      });
      await expectUnharmed();
    });

    test("a clock that is a year off", async () => {
      const peer = await rawPeer(dialled(), cluster.credentialsOf("mallory"));
      peer.socket.send(helloTo(dialled(), { node: "mallory" }));
      await peer.next();
      peer.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() + YEAR_MS }));
      expect((await peer.closed).code).toBe(4003);
      await logged(/its clock is \d+ ms ahead of ours/);
      await expectUnharmed();
    });
  });

  test.each<[string, (member: HandmadeMember) => Buffer, number]>([
    ["a frame that is longer than its batch", () => frame(0, Buffer.alloc(1), 0xffff_ffff), 4000],
    ["a batch that is too long", () => Buffer.alloc(70_000), 1009],
    ["a frame of no kind", () => frame(0xf0, Buffer.alloc(1)), 4000],
    [
      "a message beyond every limit",
      () => {
        const total = Buffer.alloc(4);
        total.writeUInt32LE(LIMITS.linkMessageBytesMax + 1);
        const [head, length] = [frame(0b0100, Buffer.alloc(0), 1).subarray(0, 5), Buffer.alloc(1)];
        return Buffer.concat([head, total, length]);
      },
      4000,
    ],
    ["a message for nobody", () => frame(0, Buffer.of(0)), 4000],
    ["a keygroup's message of no type", () => frame(1, Buffer.from("\x04work\x2f\x01")), 4000],
    [
      "a heartbeat at the end of time",
      (member) => frame(0, member.heartbeat({ hlc: HLC_MAX + 1 })),
      4000,
    ],
    [
      "a vector that lists a member before it joined",
      (member) => frame(0, member.heartbeat({ applied: member.vector({}, 1) })),
      4000,
    ],
    [
      "a commit numbered 0",
      (member) => frame(1, member.update("forged-0", dotOf(member, 0))),
      4000,
    ],
  ])("%s costs its sender the link, and nobody else anything", async (_, bytes, code) => {
    const peer = await rawLink("mallory");
    peer.socket.send(bytes(mallory));
    expect((await peer.closed).code).toBe(code);
    await expectUnharmed();
  });

  test.each<[string, (member: HandmadeMember) => Uint8Array, RegExp]>([
    [
      "has commits of this node that it never made",
      (member) => member.heartbeat({ applied: member.vector({ cloud: 1e12 }) }),
      /knows commits of this replica that it never made/,
    ],
    [
      "has stored what it has not applied",
      (member) => member.heartbeat({ durable: member.vector({ edge1: 1e12 }) }),
      /has stored more than it has applied/,
    ],
    [
      "is another member",
      (member) => member.heartbeat({ member: member.memberOf("edge1") }),
      /speaks for member/,
    ],
    [
      "knows that this node has left",
      (member) => member.heartbeat({ applied: onlyOf(member, "mallory") }),
      /takes a member for gone that is not/,
    ],
    [
      "comes from the next century",
      (member) => member.heartbeat({ hlc: hlcFromMs(Date.now() + 100 * YEAR_MS) }),
      /its time is more than a day ahead/,
    ],
    [
      "writes in the next century",
      (member) => member.update("forged-future", { hlc: hlcFromMs(Date.now() + 100 * YEAR_MS) }),
      /its time is more than a day ahead/,
    ],
  ])("a member that claims that it %s is not believed", async (_, bytes, problem) => {
    const node = await linked("mallory");
    node.links.send(cloud, "control", bytes(mallory));
    await logged(problem);
    await expectUnharmed();
    expect(node.seen.count("down")).toBe(0);
  });

  test("commits in another's name, beyond a gap or unasked for are not taken", async () => {
    const node = await linked("mallory");
    const { links } = node;
    const edge1 = { epoch: mallory.memberOf("edge1"), restart: 0, counter: 1e6 };
    links.send(cloud, "update", mallory.update("forged-name", { dot: edge1 }));
    links.send(cloud, "update", mallory.update("forged-gap", dotOf(mallory, 1e12)));
    const deps = [{ ...edge1, counter: 1e12 }];
    links.send(cloud, "update", mallory.update("forged-deps", { deps }));
    const end = {
      vector: mallory.vector({ edge1: 1e12 }),
      hlc: hlcFromMs(Date.now()),
      floor: new Vector(),
      finals: new Vector(),
    };
    const chunk = { id: 1, sequence: 0, records: [], at: end.vector, position: undefined, end };
    links.send(cloud, "bulk", mallory.message({ type: "chunk", chunk }));
    // Asks in the name of another member, and is refused; so all before it has been dealt with.
    const request = {
      id: 7,
      member: edge1.epoch,
      vector: new Vector(),
      isFresh: true,
      position: undefined,
    };
    links.send(cloud, "bulk", mallory.message({ type: "request", request }));
    await refused(node);
    await expectUnharmed();
  });

  test("a node that is no member gets nothing and changes nothing, good certificate or not", async () => {
    const node = await linked("stranger");
    const { links } = node;
    links.send(cloud, "update", mallory.update("forged-stranger"));
    links.send(cloud, "control", mallory.heartbeat());
    const request = {
      id: 7,
      member: mallory.memberOf("mallory"),
      vector: new Vector(),
      isFresh: true,
      position: undefined,
    };
    links.send(cloud, "control", mallory.message({ type: "request", request }));
    await refused(node);
    // An operation of a function, as a node that runs it may ask for.
    const head = Buffer.alloc(14);
    head.set([0x80, 1]);
    head.writeUInt32LE(1, 2);
    head.writeUInt16LE(OPERATION_METHOD, 8);
    head.writeUInt32LE(1000, 10);
    const operation = encodeOperation({
      keygroup: parseKeygroupName("work"),
      invocation: undefined,
      session: "",
      payload: Buffer.alloc(0),
    });
    links.send(cloud, "control", Buffer.concat([head, operation]));
    await node.seen.until(() => answers(node).some((text) => text.includes("ENOKI_FORBIDDEN")));
    await expectUnharmed();
  });

  test("in the end the member that others have spoken for comes back and agrees with all", async () => {
    await cluster.start("mallory");
    await cluster.node("mallory").client.kv("work").set("mine", "1");
    const { dump } = await cluster.equal();
    expect(dump.values.get("mine")).toBe("1");
    for (const one of written) expect(dump.values.get(one), one).toBe("1");
    const measured = `${written.length} writes acknowledged after ${written.length / 2} such peers`;
    reportRow("peers that do what none may", measured, longestMs);
    expect(log()).not.toMatch(/uncaught|unhandled|assert/i);
  });

  async function refused(node: LinkedNode): Promise<void> {
    const nameBytes = 1 + mallory.record.name.length;
    await node.seen.until(() =>
      node.seen.payloads.some((payload) => {
        if (payload[0] !== nameBytes - 1) return false;
        const { message } = decodeMessage(payload.subarray(nameBytes));
        return message.type === "refused" && message.id === 7;
      }),
    );
  }
});

function dotOf(member: HandmadeMember, counter: number) {
  return { dot: { epoch: member.memberOf("mallory"), restart: 0, counter } };
}

/** A vector of the present record in which nobody else is listed any more. */
function onlyOf(member: HandmadeMember, node: string): Vector {
  return new Vector(
    [{ epoch: member.memberOf(node), restart: 0, counter: 0 }],
    member.record.epoch,
  );
}

function answers(node: LinkedNode): string[] {
  return node.seen.payloads.map((payload) => Buffer.from(payload).toString("latin1"));
}
