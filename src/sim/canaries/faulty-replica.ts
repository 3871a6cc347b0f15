import { installRecord, type CatchUpChunk } from "../../core/catch-up.js";
import { ItemChanges } from "../../core/item-changes.js";
import type { Replica } from "../../core/replica.js";
import type { RowReader, RowWrite } from "../../core/rows.js";
import { TAG } from "../../core/value.js";
import type { Vector } from "../../core/vector.js";

/** Shows what a catch-up brings as soon as it comes. */
export function showEarly(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  replica.receiveChunk = (reader, chunk, from) => {
    const effects = receiveChunk(reader, chunk, from);
    if (effects.outcome !== "held" || !replica.identity.isServing) return effects;
    return { ...effects, writes: [...effects.writes, ...installNow(replica, reader, chunk)] };
  };
}

function installNow(replica: Replica, reader: RowReader, chunk: CatchUpChunk): RowWrite[] {
  const changes = new ItemChanges(reader);
  for (const { key, live } of chunk.records) {
    const known = changes.get(key);
    changes.set(key, installRecord(known, live, chunk.at, replica.vector));
  }
  return changes.writes();
}

/** Takes a catch-up to bring only what its sender had when it began. */
export function judgeByStart(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  let start: Vector | undefined;
  replica.receiveChunk = (reader, chunk, from) => {
    if (chunk.sequence === 0 || !start) start = chunk.at;
    const at = start;
    const end = chunk.end && { ...chunk.end, vector: at };
    return receiveChunk(reader, { ...chunk, at, end }, from);
  };
}

/** Judges all records of a catch-up by what its sender had at its end. */
export function judgeByEnd(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  let early: CatchUpChunk[] = [];
  replica.receiveChunk = (reader, chunk, from) => {
    if (!replica.identity.isServing) return receiveChunk(reader, chunk, from);
    if (chunk.sequence === 0) early = [];
    const { end } = chunk;
    if (!end) {
      early.push(chunk);
      return receiveChunk(reader, { ...chunk, records: [] }, from);
    }
    const records = new Map(
      [...early, chunk].flatMap((part) => part.records.map((one) => [one.key.join(), one])),
    );
    const whole = { ...chunk, records: [...records.values()], at: end.vector };
    return receiveChunk(reader, whole, from);
  };
}

/** Applies updates before what they depend on. */
export function ignoreDependencies(replica: Replica): void {
  const receive = replica.receive.bind(replica);
  replica.receive = (reader, update) => receive(reader, { ...update, deps: [] });
}

/** Tells others that everything applied is on stable storage. */
export function claimDurable(replica: Replica): void {
  const standing = replica.standing.bind(replica);
  replica.standing = () => {
    const honest = standing();
    return { ...honest, durable: honest.applied };
  };
}

/** Forgets deletes before the other members have them. */
export function collectAlone(replica: Replica): void {
  const collect = replica.collect.bind(replica);
  replica.collect = (reader, options) => {
    const { epoch, members } = replica.record;
    for (const member of members) replica.acknowledge(member, epoch, replica.vector);
    return collect(reader, options);
  };
}

/** Takes no deletes from a catch-up. */
export function skipDeletes(replica: Replica): void {
  const receiveChunk = replica.receiveChunk.bind(replica);
  replica.receiveChunk = (reader, chunk, from) => {
    const records = chunk.records.filter(
      ({ live }) => !live.some(({ version }) => version?.value.tag === TAG.tombstone),
    );
    return receiveChunk(reader, { ...chunk, records }, from);
  };
}

/** Replaces nothing with what it writes. */
export function replaceNothing(replica: Replica): void {
  const commit = replica.commit.bind(replica);
  replica.commit = (reader, mutations, stamp) => {
    const beside = mutations.map((mutation) => ({ ...mutation, replaces: [] }));
    return commit(reader, beside, stamp);
  };
}
