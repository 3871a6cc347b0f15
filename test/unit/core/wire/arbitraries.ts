import * as fc from "fast-check";
import type { CatchUpChunk, CatchUpRecord, CatchUpRequest } from "../../../../src/core/catch-up.js";
import { applyDelta, deltaTag, joinStates, type Delta } from "../../../../src/core/crdt/index.js";
import { compareDots, EPOCH_MAX, RESTART_MAX, type Dot } from "../../../../src/core/dot.js";
import type { HeartbeatChange, StandingChange } from "../../../../src/core/heartbeat-changes.js";
import { HLC_MAX } from "../../../../src/core/hlc.js";
import type { Update, UpdateEntry } from "../../../../src/core/update.js";
import { TAG, type TypedValue } from "../../../../src/core/value.js";
import { Vector } from "../../../../src/core/vector.js";
import type { VectorChange } from "../../../../src/core/vector-change.js";
import type { KeygroupMessage } from "../../../../src/core/wire/messages.js";

function upTo(max: number): fc.Arbitrary<number> {
  return fc.oneof(fc.nat(Math.min(max, 300)), fc.integer({ min: 0, max }), fc.constant(max));
}

const number = upTo(Number.MAX_SAFE_INTEGER);
const hlc = upTo(HLC_MAX);
const epoch = upTo(EPOCH_MAX);
const origin = { epoch, restart: upTo(RESTART_MAX) };
const dot: fc.Arbitrary<Dot> = fc.record({ ...origin, counter: number });
const commit: fc.Arbitrary<Dot> = fc.record({ ...origin, counter: number.map((n) => n || 1) });
const vector: fc.Arbitrary<Vector> = fc.array(dot, { maxLength: 5 }).map((dots) => {
  const latest = Math.max(0, ...dots.map((one) => one.epoch));
  return new Vector(dots, latest);
});

const key = fc.uint8Array({ minLength: 1, maxLength: 80 });
const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(3000)));
const delta: fc.Arbitrary<Delta> = fc.constantFrom<Delta>(
  { type: "counter.add", n: -300 },
  { type: "set.add", member: { a: "ü" } },
  { type: "map.set", field: "f", value: [null, true] },
  { type: "map.add", field: "n", n: 7 },
);
const crdt: fc.Arbitrary<TypedValue> = fc
  .tuple(delta, commit)
  .map(([one, at]) => applyDelta(joinStates(deltaTag(one), []), one, { dot: at, hlc: 5 }));
const value: fc.Arbitrary<TypedValue> = fc.oneof(
  fc.record({ tag: fc.constantFrom(TAG.str, TAG.bytes, TAG.json), bytes }),
  fc.constant({ tag: TAG.tombstone, bytes: new Uint8Array(0) }),
  crdt,
);
const trace = fc.option(fc.uint8Array({ minLength: 24, maxLength: 24 }), { nil: undefined });
const invocation = fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: undefined });

const pin = fc.constantFrom<{ isPinned: boolean; isSibling?: boolean }>(
  { isPinned: false },
  { isPinned: true },
  { isPinned: true, isSibling: true },
);

const entry: fc.Arbitrary<UpdateEntry> = fc
  .record({
    key,
    value,
    expiresAtMs: number,
    replaces: fc.array(dot, { maxLength: 3 }),
    pin,
  })
  .map(({ pin, ...rest }) => ({ ...rest, ...pin }));

/** Any update. */
export const update: fc.Arbitrary<Update> = fc.record({
  dot: commit,
  hlc,
  deps: fc.array(dot, { maxLength: 3 }),
  invocation,
  trace,
  entries: fc.uniqueArray(entry, {
    minLength: 1,
    maxLength: 4,
    selector: (one) => one.key.join(),
  }),
});

const vectorChange: fc.Arbitrary<VectorChange> = fc
  .record({ entries: vector, removed: vector })
  .map(({ entries, removed }) => ({
    epoch: entries.epoch,
    entries: entries.entries(),
    removed: removed.entries().map(({ epoch, restart }) => ({ epoch, restart })),
  }));

const standing: fc.Arbitrary<StandingChange> = fc.record({
  epoch,
  member: epoch,
  restart: upTo(RESTART_MAX),
  isServing: fc.boolean(),
  applied: vectorChange,
  durable: fc.option(vectorChange, { nil: undefined }),
});

const members = fc.uniqueArray(epoch, { maxLength: 4 }).map((all) => all.sort((a, b) => a - b));

/** One that builds on another, or says everything; with an echo if it tells of others. */
const heartbeat: fc.Arbitrary<HeartbeatChange> = fc
  .record({
    hlc,
    stamp: number,
    echo: fc.option(number, { nil: undefined }),
    since: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    asksForAll: fc.boolean(),
    standing,
    wants: members,
    isShort: fc.tuple(fc.boolean(), fc.boolean()),
    about: members,
    relayed: fc.option(standing, { nil: undefined }),
  })
  .map(({ about, relayed, isShort: [noStanding, noWants], since, ...rest }) => {
    const { stamp, echo, standing, wants } = rest;
    const isChange = since !== undefined;
    return {
      ...rest,
      since: isChange ? Math.floor(stamp * since) : undefined,
      standing: isChange && noStanding ? undefined : standing,
      wants: isChange && noWants ? undefined : wants,
      relayed: (echo === undefined ? [] : about).map((member) => ({
        member,
        standing: relayed && { ...relayed, member },
        echo: Math.floor((echo ?? 0) / 2),
      })),
    };
  });

const request: fc.Arbitrary<CatchUpRequest> = fc
  .record({
    id: number,
    member: epoch,
    vector,
    isFresh: fc.boolean(),
    position: fc.option(vector, { nil: undefined }),
  })
  .map((one) => ({ ...one, position: one.isFresh ? one.position : undefined }));

const live = fc.record({
  dot: commit,
  body: fc.option(fc.record({ hlc, value, expiresAtMs: number, invocation, pin }), {
    nil: undefined,
  }),
});

const record: fc.Arbitrary<CatchUpRecord> = fc.record({
  key,
  live: fc
    .uniqueArray(live, {
      minLength: 1,
      maxLength: 3,
      comparator: (a, b) => !compareDots(a.dot, b.dot),
    })
    .map((list) =>
      list
        .sort((a, b) => compareDots(a.dot, b.dot))
        .map(({ dot, body }) => {
          if (!body) return { dot, version: undefined };
          const { pin, ...rest } = body;
          return { dot, version: { dot, ...rest, ...pin } };
        }),
    ),
});

/** A chunk whose sender has applied what it lists. */
const chunk: fc.Arbitrary<CatchUpChunk> = fc
  .record({
    id: number,
    sequence: number,
    records: fc.uniqueArray(record, { maxLength: 4, selector: (one) => one.key.join() }),
    applied: vector,
    position: vector,
    end: fc.option(fc.record({ hlc, floor: vector, finals: vector }), { nil: undefined }),
  })
  .map(({ applied, records, position, end, ...rest }) => {
    const dots = records.flatMap((one) => one.live.map((entry) => entry.dot));
    const latest = Math.max(applied.epoch, ...dots.map((one) => one.epoch));
    const at = new Vector([...applied.entries(), ...dots], latest);
    return end
      ? { ...rest, records, at, position: undefined, end: { vector: at, ...end } }
      : { ...rest, records, at, position, end };
  });

const id = number;

/** Any message but `updates`. */
export const message: fc.Arbitrary<Exclude<KeygroupMessage, { type: "updates" }>> = fc.oneof(
  heartbeat.map((heartbeat) => ({ type: "heartbeat" as const, heartbeat })),
  request.map((request) => ({ type: "request" as const, request })),
  chunk.map((chunk) => ({ type: "chunk" as const, chunk })),
  fc.record({ type: fc.constant("next" as const), id, sequence: number }),
  fc.record({ type: fc.constantFrom("cancel" as const, "refused" as const), id }),
  fc.record({ type: fc.constant("reset" as const), id, floor: vector }),
);
