import { describe, expect, test } from "vitest";

import type { FunctionName, KeygroupName, NodeName } from "../../../src/core/ids.js";
import { OutgoingHeartbeats } from "../../../src/core/heartbeat-changes.js";
import { hlcFromMs } from "../../../src/core/hlc.js";
import { LIMITS } from "../../../src/core/limits.js";
import { decodeSession, encodeSession } from "../../../src/core/session.js";
import { FunctionSessions } from "../../../src/functions/sessions.js";
import { encodeMessage, joinUpdates } from "../../../src/core/wire/messages.js";
import { encodeUpdate } from "../../../src/core/wire/update.js";
import { Vector } from "../../../src/core/vector.js";
import { onceItemKey } from "../../../src/keygroups/keys.js";
import { ReplicationRouter } from "../../../src/keygroups/replication/router.js";
import { systemClock } from "../../../src/ports/clock.js";
import { str, textOf } from "../../helpers/memory-keygroup.js";
import {
  membershipOf,
  openMember,
  TestNetwork,
  type TestMember,
} from "../../helpers/replicating-members.js";

const [A, B, C] = ["a", "b", "c"] as NodeName[] as [NodeName, NodeName, NodeName];
const DAY_MS = 86_400_000;
const BOTH = membershipOf([A, B]);

async function openPair(): Promise<{ network: TestNetwork; a: TestMember; b: TestMember }> {
  const network = new TestNetwork();
  const a = await openMember(network, A, 1);
  const b = await openMember(network, B, 2);
  for (const [member, peer] of [
    [a, B],
    [b, A],
  ] as const) {
    member.router.up(peer);
    await member.replicator.adopt(BOTH);
  }
  await expect.poll(() => b.told).toEqual(["serving"]);
  return { network, a, b };
}

const set = (member: TestMember, key: string, text: string): Promise<unknown> =>
  member.keygroup.write({ writes: [{ op: "set", key, value: str(text) }] });
const get = (member: TestMember, key: string): string | undefined =>
  textOf(member.keygroup.get(key));

describe("a replicated keygroup", () => {
  test("is filled from a member, then shows what either of the two writes, to watchers too", async () => {
    const { a, b } = await openPair();
    const seen: string[] = [];
    b.keygroup.watch({}, (event) => seen.push(`${event.key}=${textOf(event.value)}`));
    await set(a, "k", "from a");
    await expect.poll(() => get(b, "k")).toBe("from a");
    expect(seen).toEqual(["k=from a"]);
    await set(b, "k", "from b");
    await expect.poll(() => get(a, "k")).toBe("from b");
    const [peer] = a.replicator.metrics().peers;
    expect(peer).toMatchObject({ node: B, isLinked: true, isServing: true });
  });

  test("remembers at each member what took effect once, to the same millisecond", async () => {
    const { a, b } = await openPair();
    const request = { writes: [{ op: "increment", key: "n", n: 1 } as const], once: "call-1" };
    const first = await a.keygroup.write(request);
    await expect.poll(() => get(b, "n")).toBe("1");
    expect(await b.keygroup.write(request)).toEqual({ ...first, repeated: true });
    const remembered = ({ keygroup }: TestMember) =>
      keygroup.replica.read(keygroup.rows, onceItemKey("call-1"));
    expect(remembered(a)).toHaveLength(1);
    expect(remembered(b)).toEqual(remembered(a));
    expect([get(a, "n"), get(b, "n")]).toEqual(["1", "1"]);
  });

  test("drops what a full link does not take, and is caught up when it takes something again", async () => {
    const { network, a, b } = await openPair();
    network.takes = (from, lane) => from !== A || lane === "control";
    await set(a, "k", "1");
    await set(a, "k", "2");
    await expect.poll(() => a.replicator.metrics().counts.outboxesDroppedTotal).toBe(1);
    expect(get(b, "k")).toBeUndefined();
    network.takes = () => true;
    await expect.poll(() => get(b, "k")).toBe("2");
    expect(b.replicator.metrics().counts.catchUpsCompletedTotal).toBeGreaterThan(0);
    await set(a, "k", "3");
    await expect.poll(() => get(b, "k")).toBe("3");
  });

  test("ignores and counts nodes that are no members, and refuses them a catch-up", async () => {
    const { network, a } = await openPair();
    const answers: Uint8Array[] = [];
    network.listeners.set(C, {
      up: () => {},
      down: () => {},
      message: (_from, payload) => void answers.push(payload),
    });
    const name = "test" as KeygroupName;
    const stranger = new ReplicationRouter(network.links(C));
    const request = { id: 7, member: 2, vector: new Vector(), isFresh: true, position: undefined };
    stranger.send(name, A, "control", encodeMessage(1, { type: "request", request }));
    await expect.poll(() => answers.length).toBe(1);
    const refused = encodeMessage(1, { type: "refused", id: 7 });
    expect(answers[0]?.slice(1 + name.length)).toEqual(refused);
    expect(a.replicator.metrics().counts.strangersTotal).toBe(1);
  });

  test("throws at bytes that are no message, so that the link ends, and counts them", async () => {
    const { a } = await openPair();
    const code = { code: "ENOKI_PROTOCOL" };
    const broken = Uint8Array.of(4, 116, 101, 115, 116, 255, 1);
    expect(() => a.router.message(B, broken)).toThrow(expect.objectContaining(code));
    expect(() => a.router.message(B, new Uint8Array(0))).toThrow(expect.objectContaining(code));
    expect(a.router.malformedTotal).toBe(2);
  });

  test("takes nothing whose time is more than a day ahead of its own clock", async () => {
    const { a } = await openPair();
    const { replica } = a.keygroup;
    const applied = new Vector(
      [1, 2].map((epoch) => ({ epoch, restart: 0, counter: 0 })),
      2,
    );
    const says = (aheadMs: number): Uint8Array => {
      const standing = { epoch: 2, member: 2, restart: 0, isServing: true };
      const said = { standing: { ...standing, applied, durable: applied }, wants: [], relayed: [] };
      const hlc = hlcFromMs(Date.now() + aheadMs);
      const stamps = { stamp: 2 ** 50, echo: undefined };
      const heartbeat = new OutgoingHeartbeats().next({ ...said, hlc, ...stamps }, false);
      return encodeMessage(1, { type: "heartbeat", heartbeat });
    };
    const key = new TextEncoder().encode("k");
    const entry = { key, value: str("v"), expiresAtMs: 0, replaces: [], isPinned: false };
    const hlc = hlcFromMs(Date.now() + 2 * DAY_MS);
    const dot = { epoch: 2, restart: 0, counter: 1 };
    const update = { dot, hlc, deps: [], invocation: undefined, entries: [entry] };
    a.replicator.message(B, says(DAY_MS + 60_000));
    a.replicator.message(B, joinUpdates(1, [encodeUpdate(update)]));
    expect(a.replicator.metrics().counts.refusedTotal).toBe(2);
    await set(a, "mine", "1");
    expect(get(a, "k")).toBeUndefined();
    expect(replica.hlc).toBeLessThan(hlcFromMs(Date.now() + 60_000));
    // A clock that was wrong for hours moves time on, as hybrid time does.
    a.replicator.message(B, says(DAY_MS - 60_000));
    expect(replica.hlc).toBeGreaterThan(hlcFromMs(Date.now() + DAY_MS / 2));
  });

  test("refuses writes while it is filled and while it leaves, and leaves once all is elsewhere", async () => {
    const network = new TestNetwork();
    const lonely = await openMember(network, B, 2);
    await expect(set(lonely, "k", "v")).rejects.toMatchObject({ code: "ENOKI_STALE" });

    const { network: whole, a, b } = await openPair();
    whole.takes = (from) => from !== B;
    await set(b, "k", "v");
    const outcome = await b.replicator.leave(50);
    expect(outcome).toEqual({ isCovered: false, epoch: 2, unreplicated: 1 });
    whole.takes = () => true;
    const leaving = b.replicator.leave(5000);
    await expect(set(b, "k", "w")).rejects.toMatchObject({ code: "ENOKI_DRAINING" });
    expect(await leaving).toEqual({ isCovered: true, epoch: 2, unreplicated: 0 });
    expect(get(a, "k")).toBe("v");
  });

  test("says that it was removed, and no longer listens", async () => {
    const { a, b } = await openPair();
    const alone = { ...BOTH, epoch: 3, members: [{ epoch: 1, node: A }], past: [2] };
    await a.replicator.adopt(alone);
    await b.replicator.adopt(alone);
    expect(b.told).toEqual(["serving", "removed"]);
    await set(b, "k", "lost");
    await set(a, "k", "kept");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(get(a, "k")).toBe("kept");
    expect(get(b, "k")).toBe("lost");
  });
});

describe("a session", () => {
  const name = "kg" as FunctionName;
  /** Calls at one member: with a token they enter, and they leave with another. */
  const doorOf = (member: TestMember) => {
    const sessions = new FunctionSessions({
      keygroupOf: () => member.keygroup,
      isShownElsewhere: () => false,
      clock: systemClock,
    });
    const call = {
      isElsewhere: false,
      stalenessMs: undefined,
      hasReadDirectly: false,
      startedMs: 0,
    };
    return {
      enter: (token: string, withinMs: number) =>
        sessions.enter(name, sessions.read(token), withinMs),
      leave: (token: string) => {
        const session = token === "" ? undefined : sessions.read(token);
        return sessions.marks(name, { ...call, session }).session;
      },
    };
  };

  test("waits at another replica until that shows what it has seen", async () => {
    const { network, a, b } = await openPair();
    network.takes = (from, lane) => from !== A || lane === "control";
    let token = "";
    for (let n = 1; n <= 3; n++) {
      await set(a, "k", `${n}`);
      token = doorOf(a).leave(token) ?? "";
    }
    expect(get(b, "k"), "without its token it would read what is old").toBeUndefined();
    const entered = doorOf(b).enter(token, 5000);
    expect(entered).toBeInstanceOf(Promise);
    network.takes = () => true;
    await entered;
    expect(get(b, "k")).toBe("3");
    expect(doorOf(b).enter(token, 5000), "now it need not wait").toBeUndefined();
  });

  test("is told after its time that what it has seen did not come, and nothing is run", async () => {
    const { network, a, b } = await openPair();
    network.takes = () => false;
    await set(a, "k", "1");
    const token = doorOf(a).leave("") ?? "";
    await expect(doorOf(b).enter(token, 20)).rejects.toMatchObject({
      code: "ENOKI_SESSION_NOT_REACHED",
    });
  });

  test("needs no token while nobody else has the data, and carries a given one on", async () => {
    const network = new TestNetwork();
    const a = await openMember(network, A, 1);
    await set(a, "k", "1");
    expect(doorOf(a).leave("")).toBeUndefined();
    const given = encodeSession({ hlc: 1, keygroups: new Map() });
    expect(doorOf(a).leave(given)).toBe(given);
  });

  test("forgets what all members have on stable storage", async () => {
    const { a, b } = await openPair();
    await set(a, "k", "1");
    const tokenOf = (): string => doorOf(a).leave("") ?? "";
    await expect
      .poll(() => decodeSession(tokenOf(), Infinity).keygroups.get("test" as KeygroupName)?.seen)
      .toEqual([]);
    expect(tokenOf().length).toBeLessThan(52);
    expect(doorOf(b).enter(tokenOf(), 0)).toBeUndefined();
  });

  test("is turned away when too many wait already, so that made-up tokens fill nothing", async () => {
    const { network, a, b } = await openPair();
    network.takes = () => false;
    await set(a, "k", "1");
    const token = doorOf(a).leave("") ?? "";
    const enter = () => Promise.resolve(doorOf(b).enter(token, 200)).catch((e: unknown) => e);
    const waiting = Array.from({ length: LIMITS.queueLengthMax }, enter);
    expect(await enter()).toMatchObject({ code: "ENOKI_QUEUE_FULL" });
    expect(await waiting[0]).toMatchObject({ code: "ENOKI_SESSION_NOT_REACHED" });
  });

  const ahead = encodeSession({ hlc: hlcFromMs(Date.now() + 60_000), keygroups: new Map() });
  test.each([
    ["no base64", "####", "ENOKI_INVALID_INPUT"],
    ["too short", "x", "ENOKI_INVALID_INPUT"],
    ["of a time ahead", ahead, "ENOKI_INVALID_INPUT"],
    ["as long as any, and none", "A".repeat(2048), "ENOKI_INVALID_INPUT"],
    ["longer than any", "A".repeat(2049), "ENOKI_SESSION_TOO_LARGE"],
  ])("is refused when its token is none of ours: %s", async (_what, token, code) => {
    const a = await openMember(new TestNetwork(), A, 1);
    expect(() => doorOf(a).enter(token, 10)).toThrow(expect.objectContaining({ code }));
  });
});
