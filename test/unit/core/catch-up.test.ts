import { describe, expect, it } from "vitest";
import { ROW_PREFIX } from "../../../src/core/rows.js";
import { Member, put, remove } from "./member.js";

function stagedRows(member: Member): number {
  return member.store.rows().filter((row) => row.key[0] === ROW_PREFIX.staging).length;
}

describe("a catch-up", () => {
  it("shows nothing before it is complete, and then everything", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.commit(put("a", "1"));
    one.commit(put("b", "2"));
    const { next, deliver } = two.catchUpFrom(one);
    deliver(next());
    expect([two.texts("a"), two.texts("b"), stagedRows(two)]).toEqual([[], [], 1]);
    deliver(next());
    expect([two.texts("a"), two.texts("b"), stagedRows(two)]).toEqual([["1"], ["2"], 0]);
  });

  it("brings commits of every origin, so a cut heals through a third member", () => {
    const [one, two, three] = [new Member(1), new Member(2), new Member(3)];
    one.receive(three.commit(put("k", "from 3")));
    two.pull(one);
    expect(two.texts("k")).toEqual(["from 3"]);
  });

  it("sends no body that the receiver has, and all keys of one dot in one chunk", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const first = one.commit(put("k", "a"));
    two.receive(first);
    one.commit(put("k", "b", { replaces: [] }), put("x", "1"), put("y", "2"));
    const chunk = two.catchUpFrom(one).next();
    expect(chunk.records.length).toBe(3);
    const ofK = chunk.records.find((record) => record.live.length === 2);
    expect(ofK?.live.map(({ version }) => version !== undefined)).toEqual([false, true]);
  });

  it("removes what the sender has replaced meanwhile, though it was never sent", () => {
    const [one, two] = [new Member(1), new Member(2)];
    two.receive(one.commit(put("k", "a")));
    one.commit(put("k", "b"));
    one.commit(put("k", "c"));
    two.pull(one);
    expect(two.texts("k")).toEqual(["c"]);
  });

  it("keeps a version that the sender applied after it had sent the key (endCut)", () => {
    const [sender, receiver] = [new Member(1), new Member(2)];
    const own = receiver.commit(put("k", "y"));
    sender.commit(put("k", "x"));
    sender.commit(put("later", "1"));
    const { next, deliver } = receiver.catchUpFrom(sender);
    deliver(next());
    sender.receive(own);
    deliver(next());
    expect(receiver.texts("k")).toEqual(["x", "y"]);
    expect(sender.texts("k")).toEqual(["x", "y"]);
  });

  it("does not bring back what a direct update has replaced meanwhile (noSkip)", () => {
    const [sender, receiver] = [new Member(1), new Member(2)];
    const first = sender.commit(put("k", "x"));
    sender.commit(put("z", "1"));
    const { next, deliver } = receiver.catchUpFrom(sender);
    deliver(next());
    receiver.receive(first);
    receiver.commit(put("k", "mine"));
    deliver(next());
    expect(receiver.texts("k")).toEqual(["mine"]);
  });

  it("covers what came to the sender while it was sending (vvStart)", () => {
    const [sender, receiver, third] = [new Member(1), new Member(2), new Member(3)];
    sender.commit(put("a", "1"));
    sender.commit(put("b", "2"));
    const { next, deliver } = receiver.catchUpFrom(sender);
    deliver(next());
    sender.receive(third.commit(put("c", "3")));
    deliver(next());
    deliver(next());
    expect(receiver.texts("c")).toEqual(["3"]);
    expect(receiver.replica.vector.compare(sender.replica.vector)).toBe("equal");
  });

  it("tells of a delete that a plain write hid (pinned versions)", () => {
    const [one, two] = [new Member(1, "lww"), new Member(2, "lww")];
    const three = new Member(3, "lww");
    const counter = one.commit(put("k", "", { value: { tag: 4, bytes: Uint8Array.of(0) } }));
    for (const member of [two, three]) member.receive(counter);
    const fence = one.commit(put("k", "fence"));
    three.replica.observe(fence.hlc + 1000);
    const winner = three.commit(put("k", "winner", { replaces: [] }));
    two.receive(winner);
    one.receive(winner);
    two.pull(one);
    const dots = (member: Member) =>
      member.replica.read(member.store, put("k", "").key).map((v) => v.dot);
    expect(dots(two)).toEqual(dots(one));
  });

  it("that breaks off leaves no trace in what readers see, and its rows are swept", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.commit(put("a", "1"));
    one.commit(put("b", "2"));
    const { next, deliver } = two.catchUpFrom(one);
    deliver(next());
    two.reopen(true);
    deliver(next());
    expect(two.texts("b")).toEqual([]);
    two.collect();
    expect(stagedRows(two)).toBe(0);
    two.pull(one);
    expect([two.texts("a"), two.texts("b")]).toEqual([["1"], ["2"]]);
  });

  it("that loses a chunk is broken off", () => {
    const [one, two] = [new Member(1), new Member(2)];
    for (const key of ["a", "b", "c"]) one.commit(put(key, "1"));
    const { next, deliver } = two.catchUpFrom(one);
    deliver(next());
    next();
    deliver(next());
    expect(two.texts("a")).toEqual([]);
    expect(two.replica.vector.get(one.replica.origin)).toBe(0);
  });

  it("lets a joining replica serve, which before neither commits nor answers", () => {
    const [one, joiner] = [new Member(1), new Member(2, "siblings", { isServing: false })];
    one.commit(put("k", "a"));
    expect(() => joiner.commit(put("k", "b"))).toThrow(/joining/);
    expect(() => new Member(3).pull(joiner)).toThrow(/refused/);
    joiner.pull(one);
    joiner.reopen(true);
    joiner.commit(put("k", "b"));
    expect(joiner.texts("k")).toEqual(["b"]);
  });

  it("is refused to who is no member", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.store.apply(one.replica.adopt({ epoch: 4, members: [1, 3], past: [2] }));
    expect(() => two.pull(one)).toThrow(/refused/);
  });

  it("ends when its sender is removed", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.commit(put("a", "1"));
    const { next, deliver } = two.catchUpFrom(one);
    two.store.apply(two.replica.adopt({ epoch: 4, members: [2, 3], past: [1] }));
    deliver(next());
    expect(two.texts("a")).toEqual([]);
  });

  it("answers who lies below what was collected with a reset", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const update = one.commit(remove("k"));
    for (const member of [2, 3]) one.replica.acknowledge(member, 3, one.replica.vector);
    one.replica.durable(one.replica.vector.clone());
    one.collect();
    const request = two.replica.catchUpRequest(two.store, 1);
    const answer = one.replica.serveCatchUp(one.store, request);
    expect(answer.type).toBe("reset");
    if (answer.type !== "reset") return;
    expect(two.replica.mustRejoin(answer.floor)).toBe(true);
    two.receive(update);
    expect(two.replica.mustRejoin(answer.floor)).toBe(false);
  });
});
