import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Heartbeat } from "../../../src/core/heartbeat.js";
import { IncomingHeartbeats, OutgoingHeartbeats } from "../../../src/core/heartbeat-changes.js";
import type { Standing } from "../../../src/core/standing.js";
import { changedVector, NO_VECTOR, vectorChange } from "../../../src/core/vector-change.js";
import { Vector } from "../../../src/core/vector.js";
import { decodeMessage, encodeMessage } from "../../../src/core/wire/messages.js";

const MEMBERS = Array.from({ length: 64 }, (_, at) => at + 1);

function stand(member: number, counter: number): Standing {
  const dots = MEMBERS.map((epoch) => ({ epoch, restart: 0, counter: 1000 }));
  const applied = new Vector([...dots, { epoch: member, restart: 0, counter }], 64);
  return { epoch: 64, member, restart: 0, isServing: true, applied, durable: applied };
}

function beat(stamp: number, standing: Standing, relayed: Standing[] = []): Heartbeat {
  const echo = 5000 + stamp;
  const told = relayed.map((one) => ({ standing: one, echo: echo - one.member }));
  return { standing, hlc: 1, stamp, echo, wants: [], relayed: told };
}

describe("heartbeats of one link", () => {
  let outgoing: OutgoingHeartbeats;
  let incoming: IncomingHeartbeats;

  beforeEach(() => {
    outgoing = new OutgoingHeartbeats();
    incoming = new IncomingHeartbeats();
  });

  /** What arrives of a heartbeat, and its bytes. */
  const send = (heartbeat: Heartbeat): [Heartbeat | undefined, number] => {
    const change = outgoing.next(heartbeat, false);
    const bytes = encodeMessage(1, { type: "heartbeat", heartbeat: change });
    const { message } = decodeMessage(bytes);
    if (message.type !== "heartbeat") throw new Error("no heartbeat");
    return [incoming.take(message.heartbeat), bytes.length];
  };

  it("say what they are to say, with a few bytes while nothing changes", () => {
    const [one, two] = [stand(1, 1001), stand(2, 1001)];
    const first = beat(10, one, [two]);
    const [got, firstBytes] = send(first);
    expect(got).toEqual(first);
    const [again, idleBytes] = send(beat(20, one));
    expect(again).toEqual(beat(20, one));
    const [relaying, relayBytes] = send(beat(30, one, [two]));
    expect(relaying).toEqual(beat(30, one, [two]));
    expect(firstBytes).toBeGreaterThan(300);
    expect([idleBytes, relayBytes]).toEqual([8, 12]);
  });

  it("cost a few bytes for each member that moved on, however many there are", () => {
    const before = MEMBERS.map((member) => stand(member, 1001));
    send(beat(10, before[0] as Standing, before.slice(1)));
    const after = MEMBERS.map((member) => stand(member, 1002));
    const [got, bytes] = send(beat(20, after[0] as Standing, after.slice(1)));
    expect(got).toEqual(beat(20, after[0] as Standing, after.slice(1)));
    expect(bytes).toBeLessThan(64 * 15);
  });

  it("leave out members of whom there is nothing new", () => {
    const two = stand(2, 1001);
    const first = beat(10, stand(1, 1001), [two]);
    send(first);
    const [got] = send({ ...first, stamp: 20 });
    expect(got?.relayed).toEqual([]);
  });

  it("say too little after one was lost, until one says everything", () => {
    const [one, two] = [stand(1, 1001), stand(1, 1002)];
    send(beat(10, one));
    outgoing.next(beat(20, two), false);
    expect([send(beat(30, two))[0], incoming.isLost]).toEqual([undefined, true]);
    expect(send(beat(40, two))[0]).toBeUndefined();
    outgoing.reset();
    expect([send(beat(50, two))[0], incoming.isLost]).toEqual([beat(50, two), false]);
  });

  it("that come late or again are nothing, and lose nothing", () => {
    const first = outgoing.next(beat(10, stand(1, 1001)), false);
    const second = outgoing.next(beat(20, stand(1, 1002)), false);
    for (const change of [first, second]) expect(incoming.take(change)).toBeDefined();
    for (const change of [first, second]) expect(incoming.take(change)).toBeUndefined();
    expect(incoming.isLost).toBe(false);
  });

  it("that build on what was never told, or fill the memory, are taken for lost", () => {
    const told = outgoing.next(beat(10, stand(1, 1001)), false);
    incoming.take(told);
    const relayed = [{ member: 9, standing: undefined, echo: 1 }];
    const more = { ...told, since: 10, stamp: 20, standing: undefined, wants: undefined };
    expect([incoming.take({ ...more, relayed }), incoming.isLost]).toEqual([undefined, true]);
    const entries = Array.from({ length: 2 ** 18 }, (_, restart) => ({
      epoch: 1,
      restart,
      counter: 0,
    }));
    const huge = { ...told.standing, applied: { epoch: 64, entries, removed: [] } };
    const heartbeat = { ...told, stamp: 30, standing: huge } as typeof told;
    expect([incoming.take(heartbeat), incoming.isLost]).toEqual([undefined, true]);
    expect(incoming.take({ ...told, stamp: 40 })).toBeDefined();
  });
});

describe("the change from one vector to another", () => {
  const vector = fc
    .array(fc.record({ epoch: fc.nat(5), restart: fc.nat(2), counter: fc.nat(3) }))
    .map((dots) => new Vector(dots, 9));

  it("makes the other of the one, and is nothing only if they are equal", () => {
    fc.assert(
      fc.property(vector, vector, (before, after) => {
        const change = vectorChange(before, after);
        const made = change ? changedVector(before, change) : before;
        expect([made.epoch, made.entries()]).toEqual([after.epoch, after.entries()]);
        expect(vectorChange(after, after.clone())).toBeUndefined();
        expect(vectorChange(NO_VECTOR, after)).toBeDefined();
      }),
    );
  });
});
