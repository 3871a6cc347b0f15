import { describe, expect, it } from "vitest";
import { Member, put, remove } from "./member.js";

describe("a direct update", () => {
  it("takes effect once, however often it comes", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const update = one.commit(put("k", "a"));
    expect([two.receive(update), two.receive(update)]).toEqual(["applied", "ignored"]);
    expect(two.texts("k")).toEqual(["a"]);
  });

  it("waits for its origin's earlier commits", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const [first, second] = [one.commit(put("k", "a")), one.commit(put("k", "b"))];
    expect(two.receive(second)).toBe("held");
    expect(two.texts("k")).toEqual([]);
    expect(two.receive(first)).toBe("applied");
    expect(two.texts("k")).toEqual(["b"]);
  });

  it("waits for what its origin had applied of others", () => {
    const [one, two, three] = [new Member(1), new Member(2), new Member(3)];
    const question = one.commit(put("q", "question"));
    two.receive(question);
    const answer = two.commit(put("a", "answer"));
    expect(three.receive(answer)).toBe("held");
    expect(three.receive(question)).toBe("applied");
    expect(three.texts("a")).toEqual(["answer"]);
  });

  it("names in its dependencies only what is new since the origin's previous commit", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.receive(two.commit(put("k", "a")));
    expect(one.commit(put("k", "b")).deps).toEqual([{ epoch: 2, restart: 0, counter: 1 }]);
    expect(one.commit(put("k", "c")).deps).toEqual([]);
    one.reopen(true);
    expect(one.commit(put("k", "d")).deps).toEqual([{ epoch: 2, restart: 0, counter: 1 }]);
  });

  it("is ignored if its origin is no member, or has restarted since", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const old = one.commit(put("k", "old"));
    const stranger = { ...old, dot: { ...old.dot, epoch: 9 } };
    expect(two.receive(stranger)).toBe("ignored");
    const three = new Member(3);
    three.reopen(false);
    const late = three.commit(put("x", "1"));
    expect(two.receive(late)).toBe("applied");
    expect(two.receive({ ...late, dot: { epoch: 3, restart: 0, counter: 1 } })).toBe("ignored");
  });

  it("that waits is dropped when there is no room, and comes again by a catch-up", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.commit(put("k", "first"));
    const outcomes = new Set<string>();
    for (let i = 0; i < 1100; i++) outcomes.add(two.receive(one.commit(put("k", `v${i}`))));
    expect(outcomes).toEqual(new Set(["held", "dropped"]));
    two.pull(one);
    expect(two.texts("k")).toEqual(["v1099"]);
    expect(two.replica.vector.compare(one.replica.vector)).toBe("equal");
  });

  it("with several keys takes effect as one", () => {
    const [one, two] = [new Member(1), new Member(2)];
    one.commit(put("b", "old"));
    const update = one.commit(put("a", "1"), put("b", "2"), remove("c"));
    two.receive(update);
    expect([two.texts("a"), two.texts("b")]).toEqual([[], []]);
    two.pull(one);
    expect([two.texts("a"), two.texts("b")]).toEqual([["1"], ["2"]]);
  });

  it("moves hybrid time, so that a later write here wins", () => {
    const [one, two] = [new Member(1, "lww"), new Member(2, "lww")];
    one.replica.observe(one.replica.hlc + 5_000_000);
    const update = one.commit(put("k", "ahead"));
    two.receive(update);
    expect(two.commit(put("k", "after")).hlc).toBeGreaterThan(update.hlc);
    expect(two.texts("k")).toEqual(["after"]);
  });

  it("of a write with a read context replaces only what was read", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const first = one.commit(put("k", "a"));
    two.receive(first);
    const concurrent = two.commit(put("k", "b", { replaces: [] }));
    const resolved = one.commit(put("k", "c", { replaces: [first.dot] }));
    one.receive(concurrent);
    two.receive(resolved);
    expect(one.texts("k")).toEqual(["c", "b"]);
    expect(two.texts("k")).toEqual(["c", "b"]);
  });
});
