import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { base64UrlBytes, base64UrlText } from "../../../src/core/base64.js";
import { EnokiError } from "../../../src/core/errors.js";
import { HLC_MAX } from "../../../src/core/hlc.js";
import { parseKeygroupName } from "../../../src/core/ids.js";
import {
  decodeSession,
  encodeSession,
  mergeSessions,
  NEW_SESSION,
  type Session,
} from "../../../src/core/session.js";
import { Vector } from "../../../src/core/vector.js";
import { Member, put } from "./member.js";

const dot = fc.record({
  epoch: fc.nat(9),
  restart: fc.nat(3),
  counter: fc.integer({ min: 1, max: 1e9 }),
});
const entry = fc.record({
  generation: fc.nat(3),
  epoch: fc.nat(3),
  seen: fc.array(dot, { maxLength: 4 }).map((dots) => new Vector(dots).entries()),
});
const name = fc.constantFrom("a", "sensors", "B-2").map(parseKeygroupName);
const session: fc.Arbitrary<Session> = fc.record({
  hlc: fc.nat(),
  keygroups: fc.array(fc.tuple(name, entry), { maxLength: 3 }).map((pairs) => new Map(pairs)),
});

describe("a session's token", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(session, (one) => {
        expect(decodeSession(encodeSession(one), HLC_MAX)).toEqual(one);
      }),
    );
  });

  it("is text of the alphabet for URLs", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(base64UrlText(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
        expect(base64UrlBytes(base64UrlText(bytes))).toEqual(bytes);
      }),
    );
  });

  it("is refused, whatever it is, if this cluster has not made it", () => {
    const text = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.base64String({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 40 }).map((rest) => base64UrlText(Uint8Array.of(1, ...rest))),
    );
    fc.assert(
      fc.property(text, (token) => {
        try {
          decodeSession(token, HLC_MAX);
        } catch (error) {
          expect(error).toBeInstanceOf(EnokiError);
          expect(error).toMatchObject({ code: "ENOKI_INVALID_INPUT" });
        }
      }),
      { numRuns: 1000 },
    );
    for (const token of ["", "AA", "x".repeat(3000), "AQ=="]) {
      expect(() => decodeSession(token, HLC_MAX)).toThrow(/no token/);
    }
  });

  it("cannot move the time of a node beyond what a client may have seen", () => {
    const token = encodeSession({ ...NEW_SESSION, hlc: 1000 });
    expect(decodeSession(token, 1000).hlc).toBe(1000);
    expect(() => decodeSession(token, 999)).toThrow(/no token/);
  });

  it("that would be too long leaves out what all members have, and else says so", () => {
    const seen = Array.from({ length: 60 }, (_, i) => ({ epoch: i + 1, restart: 0, counter: 9e9 }));
    const keygroups = new Map(
      Array.from({ length: 10 }, (_, i) => [
        parseKeygroupName(`kg${i}`),
        { generation: 1, epoch: 1, seen },
      ]),
    );
    const large = { hlc: 5, keygroups };
    expect(() => encodeSession(large)).toThrow(/10 keygroups/);
    const stable = new Vector(seen.slice(1));
    const token = encodeSession(large, () => stable);
    expect(token.length).toBeLessThanOrEqual(2048);
    expect(decodeSession(token, HLC_MAX).keygroups.get(parseKeygroupName("kg3"))?.seen).toEqual(
      seen.slice(0, 1),
    );
  });

  it("merges to what both have seen, in any order, and a later generation counts alone", () => {
    fc.assert(
      fc.property(session, session, (left, right) => {
        const merged = mergeSessions(left, right);
        expect(mergeSessions(right, left)).toEqual(merged);
        expect(merged.hlc).toBe(Math.max(left.hlc, right.hlc));
        for (const [name, { generation, seen }] of left.keygroups) {
          const known = merged.keygroups.get(name);
          if (known?.generation !== generation) continue;
          expect(new Vector(known.seen).includes(new Vector(seen))).toBe(true);
        }
      }),
    );
  });
});

describe("a session at a replica", () => {
  let one: Member;
  let two: Member;
  let three: Member;

  beforeEach(() => {
    [one, two, three] = [new Member(1), new Member(2), new Member(3)];
  });

  const acknowledgeAll = (...members: Member[]): void => {
    for (const member of members) member.replica.durable(member.replica.vector.clone());
    for (const to of members) {
      for (const from of members) {
        if (to !== from) to.replica.receiveStanding(from.epoch, from.replica.standing());
      }
    }
  };

  it("holds what was seen beyond what all members have on stable storage", () => {
    const update = one.commit(put("k", "1"));
    const own = [{ epoch: 1, restart: 0, counter: 1 }];
    expect(one.replica.sessionEntry()).toMatchObject({ generation: 1, seen: own });
    for (const member of [two, three]) member.receive(update);
    acknowledgeAll(one, two, three);
    expect(one.replica.stableVector.get(one.replica.origin)).toBe(1);
    expect(one.replica.sessionEntry().seen).toEqual([]);
  });

  it("is satisfied only by a replica that has all of it", () => {
    const update = one.commit(put("k", "1"));
    const entry = one.replica.sessionEntry();
    expect([one, two].map(({ replica }) => replica.checkSession(entry))).toEqual(["ok", "wait"]);
    two.receive(update);
    expect(two.replica.checkSession(entry)).toBe("ok");
  });

  it("waits at a replica that joins, and for a generation that is not here yet", () => {
    const joiner = new Member(3, "siblings", { isServing: false });
    expect(joiner.replica.checkSession({ generation: 1, epoch: 1, seen: [] })).toBe("wait");
    expect(one.replica.checkSession({ generation: 2, epoch: 1, seen: [] })).toBe("wait");
    expect(one.replica.checkSession({ generation: 0, epoch: 1, seen: [] })).toBe("lost");
    // It may be a member no more, and lack what was left out of the token.
    const { epoch } = one.replica.record;
    expect(one.replica.checkSession({ generation: 1, epoch: epoch + 1, seen: [] })).toBe("wait");
  });

  it("is lost once every member shows that the write died with its origin, and not before", () => {
    two.commit(put("k", "only at two"));
    const entry = two.replica.sessionEntry();
    const record = { epoch: 4, members: [1, 3], past: [2] };
    one.store.apply(one.replica.adopt(record));
    acknowledgeAll(one, three);
    expect(one.replica.checkSession(entry)).toBe("wait");
    three.store.apply(three.replica.adopt(record));
    acknowledgeAll(one, three);
    expect(one.replica.checkSession(entry)).toBe("lost");
  });

  it("is not lost while some member may still bring the write", () => {
    const update = two.commit(put("k", "at two and three"));
    three.receive(update);
    const entry = two.replica.sessionEntry();
    const record = { epoch: 4, members: [1, 3], past: [2] };
    for (const member of [one, three]) member.store.apply(member.replica.adopt(record));
    acknowledgeAll(one, three);
    expect(one.replica.checkSession(entry)).toBe("wait");
    one.pull(three);
    expect(one.replica.checkSession(entry)).toBe("ok");
  });
});

describe("what is not proven to be anywhere else", () => {
  it("is listed by dot and key, until another member says that it has it", () => {
    const [one, two] = [new Member(1), new Member(2)];
    const updates = ["a", "b", "c"].map((key) => one.commit(put(key, key)));
    one.commit(put("b", "again"));
    const keys = () => [...one.replica.unproven(one.store)].map(({ key }) => key[0]);
    expect(keys()).toEqual([97, 99, 98]);
    for (const update of updates.slice(0, 2)) two.receive(update);
    two.replica.durable(two.replica.vector.clone());
    one.replica.receiveStanding(2, { ...two.replica.standing(), epoch: 2 });
    expect(keys()).toEqual([99, 98]);
    one.store.apply(one.replica.adopt({ epoch: 4, members: [2, 3], past: [1] }));
    expect(keys()).toEqual([99, 98]);
  });
});
