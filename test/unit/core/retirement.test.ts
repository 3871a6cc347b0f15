import { beforeEach, describe, expect, it } from "vitest";
import { Member, put, remove } from "./member.js";

function origins(member: Member): string[] {
  return member.replica.vector
    .entries()
    .map(({ epoch, restart, counter }) => `${epoch}.${restart}.${counter}`);
}

/** Syncs and heartbeats of all, then everyone retires what it may. */
function round(...members: Member[]): void {
  for (const member of members) member.replica.durable(member.replica.vector.clone());
  for (const to of members) {
    for (const from of members) {
      if (to === from) continue;
      to.replica.receiveStanding(from.epoch, from.replica.standing());
    }
  }
  for (const member of members) {
    member.store.apply(member.replica.retire());
    member.store.apply(member.replica.sealWrites());
  }
}

describe("a dead origin", () => {
  let one: Member;
  let two: Member;
  let three: Member;

  beforeEach(() => {
    [one, two, three] = [new Member(1), new Member(2), new Member(3)];
    const update = two.commit(put("k", "1"));
    for (const member of [one, three]) member.receive(update);
  });

  it("leaves the vectors once every member has the later run and the last commit", () => {
    two.reopen(false);
    round(one, two, three);
    expect(origins(one)).toEqual(["1.0.0", "2.0.1", "2.1.0", "3.0.0"]);
    for (let i = 0; i < 3; i++) round(one, two, three);
    for (const member of [one, two, three]) {
      expect(origins(member)).toEqual(["1.0.0", "2.1.0", "3.0.0"]);
      expect(member.texts("k")).toEqual(["1"]);
    }
  });

  it("stays while a member has not all of it, and while one is silent", () => {
    const unseen = two.commit(put("x", "2"));
    two.reopen(false);
    one.receive(unseen);
    for (let i = 0; i < 3; i++) round(one, two, three);
    expect(origins(one)).toContain("2.0.2");
    three.pull(one);
    for (let i = 0; i < 3; i++) round(one, two);
    expect(origins(one)).toContain("2.0.2");
    for (let i = 0; i < 3; i++) round(one, two, three);
    expect(origins(one)).not.toContain("2.0.2");
  });

  it("goes when its member was removed; who joins later gets its data all the same", () => {
    const record = { epoch: 4, members: [1, 3, 4], past: [2] };
    for (const member of [one, three]) member.store.apply(member.replica.adopt(record));
    for (let i = 0; i < 3; i++) round(one, three);
    expect(origins(one)).toContain("2.0.1");
    const four = new Member(4, "siblings", { isServing: false, record });
    four.pull(one);
    for (let i = 0; i < 3; i++) round(one, three, four);
    for (const member of [one, three, four]) {
      expect(origins(member)).toEqual(["1.0.0", "3.0.0", "4.0.0"]);
      expect(member.texts("k")).toEqual(["1"]);
    }
    const late = { epoch: 5, members: [1, 3, 4, 5], past: [2] };
    for (const member of [one, three, four]) member.store.apply(member.replica.adopt(late));
    const five = new Member(5, "siblings", { isServing: false, record: late });
    five.pull(three);
    expect(five.texts("k")).toEqual(["1"]);
    expect(origins(five)).toEqual(["1.0.0", "3.0.0", "4.0.0", "5.0.0"]);
  });

  it("is remembered with its last commit, also after a restart and by who joined later", () => {
    two.reopen(false);
    for (let i = 0; i < 4; i++) round(one, two, three);
    one.reopen(true);
    expect(origins(one)).toEqual(["1.0.0", "2.1.0", "3.0.0"]);
    const covered = one.replica.checkSession({ generation: 1, epoch: 1, seen: [dot(2, 0, 1)] });
    const lost = one.replica.checkSession({ generation: 1, epoch: 1, seen: [dot(2, 0, 2)] });
    expect([covered, lost]).toEqual(["ok", "lost"]);
  });

  it("of whom all was lost is known by the first commit of the run that follows", () => {
    two.reopen(false);
    two.reopen(false);
    const first = two.commit(put("k", "3"));
    expect(first.deps).toContainEqual(dot(2, 1, 0));
    three.receive(first);
    expect(origins(three)).toContain("2.1.0");
  });

  it("takes its floor along, and tombstones of it are collected later", () => {
    const update = two.commit(remove("k"));
    for (const member of [one, three]) member.receive(update);
    two.reopen(false);
    for (let i = 0; i < 4; i++) round(one, two, three);
    expect(origins(one)).not.toContain("2.0.2");
    one.collect();
    expect(one.replica.read(one.store, put("k", "").key)).toEqual([]);
    two.pull(one);
    expect(two.texts("k")).toEqual([]);
  });
});

function dot(epoch: number, restart: number, counter: number) {
  return { epoch, restart, counter };
}
