import * as fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type * as Acknowledged from "../../../src/core/acknowledgements.js";
import type * as CatchUp from "../../../src/core/catch-up.js";
import { equalDots, type Dot, type Origin } from "../../../src/core/dot.js";
import type { Version } from "../../../src/core/item.js";
import type * as Heartbeats from "../../../src/core/heartbeat.js";
import type * as LiveSet from "../../../src/core/live-set.js";
import type { Policy } from "../../../src/core/live-set.js";
import type { MembershipRecord } from "../../../src/core/meta.js";
import type * as Retirement from "../../../src/core/retirement.js";
import type * as State from "../../../src/core/state.js";
import { Vector } from "../../../src/core/vector.js";
import { runHistory, type ChunkFault, type Step } from "../../property/cluster.js";
import { catchUpHistory, history, membershipHistory } from "../../property/history.js";

/** What is planted now in place of the core's own functions. */
const planted = vi.hoisted(() => ({ name: "none" }));

vi.mock("../../../src/core/catch-up.js", async (importOriginal) => {
  const real = await importOriginal<typeof CatchUp>();
  const installRecord: typeof CatchUp.installRecord = (local, live, at, current) => {
    const isLocal = ({ dot }: CatchUp.LiveEntry): boolean =>
      local.some((version) => equalDots(version.dot, dot));
    if (planted.name === "noSkip") {
      const known = new Vector(
        live.filter((entry) => isLocal(entry) || !entry.version).map((e) => e.dot),
      );
      return real.installRecord(local, live, at, known);
    }
    const installed = real.installRecord(local, live, at, current);
    return planted.name === "torn" ? withoutRepetition(installed) : installed;
  };
  return { ...real, installRecord };
});

vi.mock("../../../src/core/live-set.js", async (importOriginal) => {
  const real = await importOriginal<typeof LiveSet>();
  const pins: typeof LiveSet.pins = (policy, value, live, replaces) =>
    real.pins(policy, value, planted.name === "noPins" ? [] : live, replaces);
  return { ...real, pins };
});

vi.mock("../../../src/core/acknowledgements.js", async (importOriginal) => {
  const real = await importOriginal<typeof Acknowledged>();
  class Acknowledgements extends real.Acknowledgements {
    override stability(
      ...[own, record, vector]: Parameters<Acknowledged.Acknowledgements["stability"]>
    ): (dot: Dot) => boolean {
      if (planted.name === "gcAlone") return (dot) => vector.covers(dot);
      return super.stability(own, record, vector);
    }

    override counted(
      ...[own, record, vector]: Parameters<Acknowledged.Acknowledgements["counted"]>
    ): Vector[] | undefined {
      return planted.name === "retireAlone" ? [vector] : super.counted(own, record, vector);
    }
  }
  return { Acknowledgements };
});

vi.mock("../../../src/core/state.js", async (importOriginal) => {
  const real = await importOriginal<typeof State>();
  class ReplicaState extends real.ReplicaState {
    override isFenced(origin: Origin): boolean {
      return planted.name === "noFence" ? false : super.isFenced(origin);
    }

    override adopt(record: MembershipRecord): ReturnType<State.ReplicaState["adopt"]> {
      const { identity } = this;
      if (planted.name === "unlisted") this.identity = { ...identity, isServing: false };
      const writes = super.adopt(record);
      this.identity = identity;
      return writes;
    }

    override listRestarts(member: number, vector: Vector): boolean {
      const last = vector.entries().findLast(({ epoch }) => epoch === member);
      const listed = planted.name === "oneRestart" && last ? new Vector([last]) : vector;
      return super.listRestarts(member, listed);
    }
  }
  return { ReplicaState };
});

vi.mock("../../../src/core/retirement.js", async (importOriginal) => {
  const real = await importOriginal<typeof Retirement>();
  const retireOrigins: typeof Retirement.retireOrigins = (state, acknowledgements) => {
    if (planted.name !== "anyOrder") return real.retireOrigins(state, acknowledgements);
    const { identity, record, vector } = state;
    const counted = acknowledgements.counted(identity.epoch, record, vector);
    if (!identity.isServing || !state.isMember || !counted) return [];
    const isLast = (last: Dot, known: Vector): boolean =>
      state.isDead(last, known) && known.reach(last) >= last.counter;
    const retired = vector
      .entries()
      .filter((last) => state.isDead(last, vector) && counted.every((one) => isLast(last, one)));
    return retired.length > 0 ? state.retire(retired.slice(-1)) : [];
  };
  return { retireOrigins };
});

vi.mock("../../../src/core/heartbeat.js", async (importOriginal) => {
  const real = await importOriginal<typeof Heartbeats>();
  const noteStanding: typeof Heartbeats.noteStanding = (state, known, from, standing) => {
    const epoch = planted.name === "anyEpoch" ? state.record.epoch : standing.epoch;
    return real.noteStanding(state, known, from, { ...standing, epoch });
  };
  return { ...real, noteStanding };
});

function withoutRepetition(versions: readonly Version[]): Version[] {
  return versions.filter(
    (version, i) => versions.findIndex((other) => equalDots(other.dot, version.dot)) === i,
  );
}

/** Applies every record as it arrives; the vector moves at the end. */
const torn: ChunkFault = {
  deliver: (session, chunk, to) => {
    if (chunk.end) return [chunk];
    const { id } = to.replica.catchUpRequest(to.store, session.sender);
    const end = {
      vector: to.replica.vector.clone(),
      hlc: 0,
      floor: new Vector(),
      finals: new Vector(),
    };
    return [chunk, { ...chunk, id, sequence: 0, position: undefined, end }];
  },
};

/** Takes what the sender had applied when it began for what it has sent. */
const vvStart: ChunkFault = {
  deliver: (session, chunk) => {
    const vector = session.start;
    return [{ ...chunk, at: vector, end: chunk.end && { ...chunk.end, vector } }];
  },
};

/** Judges every record by the vector of the end, not by that of its own moment. */
const endCut: ChunkFault = {
  deliver: (session, { end }) =>
    end ? session.delivered.map((chunk) => ({ ...chunk, at: end.vector })) : [],
};

const CHUNK_FAULTS: Readonly<Record<string, ChunkFault>> = { torn, vvStart, endCut };

/** The first broken promise that random histories find, or `none`. */
function firstFinding(
  policies: readonly Policy[],
  steps: fc.Arbitrary<Step[]>,
  fault?: ChunkFault,
): string {
  for (const policy of policies) {
    const property = fc.property(steps, (history) => runHistory(policy, history, { fault }));
    const { errorInstance } = fc.check(property, { seed: 4, numRuns: 3000, endOnFailure: true });
    if (errorInstance instanceof Error) return errorInstance.message;
  }
  return "none";
}

describe("the property test", () => {
  beforeEach(() => {
    planted.name = "none";
  });

  it.each(["torn", "vvStart", "endCut", "noSkip"])(
    "finds the faulty catch-up %s",
    (name) => {
      planted.name = name;
      expect(firstFinding(["siblings", "lww"], catchUpHistory, CHUNK_FAULTS[name])).toMatch(
        /^(STATE|ROWS)/,
      );
    },
    120_000,
  );

  it("finds a replica that forgets which plain version replaced a CRDT value", () => {
    planted.name = "noPins";
    expect(firstFinding(["lww"], history)).toMatch(/^(STATE|ROWS)/);
  }, 120_000);

  it("finds a replica that collects before the other members have the delete", () => {
    planted.name = "gcAlone";
    expect(firstFinding(["lww"], history)).toMatch(/^(STATE|ROWS|RESET)/);
  }, 120_000);

  it.each([
    ["retires an origin before all members have its last commit", "retireAlone"],
    ["retires the restarts of a member in any order", "anyOrder"],
    ["takes updates of a run that has ended", "noFence"],
    ["does not list new members", "unlisted"],
    ["lists only the last restart of a member", "oneRestart"],
    ["counts what was acknowledged under another record", "anyEpoch"],
  ])(
    "finds a replica that %s",
    (_, name) => {
      planted.name = name;
      expect(firstFinding(["siblings", "lww"], membershipHistory)).toMatch(
        /^(STATE|ROWS|VECTORS|RETIRED|RESET|LEFT|CAUSALITY|LIVENESS|REJECTED|a )/,
      );
    },
    120_000,
  );

  it("finds nothing in the same histories when nothing is planted", () => {
    const property = fc.property(catchUpHistory, (steps) => runHistory("siblings", steps));
    fc.assert(property, { seed: 5, numRuns: 300, includeErrorInReport: true });
  }, 120_000);
});
