import { beforeEach, describe, expect, it } from "vitest";
import type { Standing } from "../../../src/core/standing.js";
import { Vector } from "../../../src/core/vector.js";
import { Member, put, remove } from "./member.js";

describe("a heartbeat", () => {
  let one: Member;
  let two: Member;

  beforeEach(() => {
    one = new Member(1, "lww");
    two = new Member(2, "lww");
  });

  const beat = (from: Member, more: Partial<Standing> = {}): Standing => ({
    ...from.replica.standing(),
    ...more,
  });
  const take = (to: Member, from: Member, more: Partial<Standing> & { hlc?: number } = {}) => {
    const { hlc = from.replica.hlc, ...rest } = more;
    return to.replica.receiveStanding(from.epoch, beat(from, rest), hlc);
  };

  it("says who its sender is, what it has applied, and what is on stable storage", () => {
    one.commit(put("k", "1"));
    one.replica.durable(one.replica.vector.clone());
    one.commit(put("k", "2"));
    const { applied, durable, ...rest } = beat(one);
    expect(rest).toMatchObject({ epoch: 3, member: 1, restart: 0, isServing: true });
    expect([applied, durable].map((vector) => vector.get(one.replica.origin))).toEqual([2, 1]);
  });

  it("shows whether its sender is ahead, and whether it has all of the receiver", () => {
    expect(take(two, one)).toMatchObject({ type: "noted", isAhead: false, coversThis: true });
    const update = one.commit(put("k", "1"));
    expect(take(two, one)).toMatchObject({ isAhead: true, coversThis: true, canServe: true });
    two.commit(put("other", "1"));
    two.receive(update);
    expect(take(two, one)).toMatchObject({ isAhead: false, coversThis: false });
  });

  it("moves hybrid time", () => {
    take(two, one, { hlc: two.replica.hlc + 5000 });
    expect(two.replica.hlc).toBeGreaterThanOrEqual(one.replica.hlc + 5000);
  });

  it("acknowledges, so that what every member has on stable storage is collected", () => {
    const three = new Member(3, "lww");
    const update = one.commit(remove("k"));
    for (const member of [two, three]) member.receive(update);
    for (const member of [one, two, three]) member.replica.durable(member.replica.vector.clone());
    take(one, two);
    one.collect();
    expect(one.replica.read(one.store, put("k", "").key).length).toBe(1);
    take(one, three);
    one.collect();
    expect(one.replica.read(one.store, put("k", "").key)).toEqual([]);
  });

  it("acknowledges nothing under another record, or while its sender joins", () => {
    const single = new Member(1, "lww");
    single.store.apply(single.replica.adopt({ epoch: 4, members: [1, 2], past: [3] }));
    single.commit(remove("k"));
    single.replica.durable(single.replica.vector.clone());
    two.pull(single);
    two.replica.durable(two.replica.vector.clone());
    for (const more of [{ epoch: 3 }, { epoch: 4, isServing: false }]) {
      take(single, two, more);
      single.collect();
      expect(single.replica.read(single.store, put("k", "").key).length).toBe(1);
    }
    take(single, two, { epoch: 4 });
    single.collect();
    expect(single.replica.read(single.store, put("k", "").key)).toEqual([]);
  });

  it("says nothing of stable storage until all that preceded the present record is there", () => {
    one.replica.durable(one.replica.vector.clone());
    one.commit(put("k", "1"));
    one.store.apply(one.replica.adopt({ epoch: 4, members: [1, 2], past: [3] }));
    expect(beat(one).durable.size).toBe(0);
    one.replica.durable(one.replica.vector.clone());
    expect(beat(one).durable.get(one.replica.origin)).toBe(1);
  });

  it("makes all restarts of its sender known at once, so that older updates no longer count", () => {
    const late = two.commit(put("k", "late"));
    two.reopen(false);
    two.reopen(false);
    take(one, two);
    const listed = one.replica.vector.entries().filter(({ epoch }) => epoch === 2);
    expect(listed.map(({ restart, counter }) => [restart, counter])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
    ]);
    expect(one.receive(late)).toBe("ignored");
    one.pull(two);
    expect(one.texts("k")).toEqual(["late"]);
  });

  it("keeps the restarts that it made known when the receiver is opened again", () => {
    two.reopen(false);
    take(one, two);
    one.store.apply(one.replica.sealWrites());
    one.reopen(true);
    expect(one.replica.vector.lists({ epoch: 2, restart: 1 })).toBe(true);
  });

  it("of who is no member is ignored, and so is one's own", () => {
    expect(one.replica.receiveStanding(9, beat(two))).toEqual({ type: "ignored" });
    expect(one.replica.receiveStanding(1, beat(one))).toEqual({ type: "ignored" });
  });

  it.each([
    ["speaks for another member", { member: 3 }],
    ["claims commits of the receiver that it never made", claims({ epoch: 1, restart: 0 }, 1)],
    ["claims a run of the receiver that never was", claims({ epoch: 1, restart: 1 }, 0)],
    ["has stored more than it has applied", { durable: new Vector([dotOf(3, 0, 9)], 3) }],
    ["does not know its own origin", { restart: 1 }],
    ["knows later runs of itself", claims({ epoch: 2, restart: 4 }, 0)],
    ["takes the receiver for gone", { applied: only(2, 3), durable: new Vector() }],
    ["takes another member for gone", { applied: only(1, 2), durable: new Vector() }],
    ["has stored that the receiver is gone", { durable: new Vector([], 3) }],
    [
      "takes the receiver for gone under a later record",
      { epoch: 9, applied: new Vector([dotOf(2, 0, 0), dotOf(3, 0, 0)], 9), durable: new Vector() },
    ],
  ])("that %s is rejected, and nothing of it is taken over", (_, more) => {
    const before = one.replica.vector.encode();
    const hlc = one.replica.hlc;
    const outcome = take(one, two, { hlc: hlc + 1000, ...more });
    expect(outcome.type).toBe("rejected");
    expect(one.replica.vector.encode()).toEqual(before);
    expect(one.replica.hlc).toBe(hlc);
  });

  it("tells that there is a later record", () => {
    expect(take(one, two, { epoch: 4 })).toMatchObject({ hasLaterRecord: true });
    expect(take(one, two)).toMatchObject({ hasLaterRecord: false });
  });
});

function dotOf(epoch: number, restart: number, counter: number) {
  return { epoch, restart, counter };
}

/** What a vector of the present record says that lists these members alone. */
function only(...members: number[]): Vector {
  return new Vector(
    members.map((member) => dotOf(member, 0, 0)),
    3,
  );
}

function claims(origin: { epoch: number; restart: number }, counter: number): Partial<Standing> {
  const members = [1, 2, 3].map((epoch) => dotOf(epoch, 0, 0));
  return { applied: new Vector([...members, { ...origin, counter }], 3), durable: new Vector() };
}
