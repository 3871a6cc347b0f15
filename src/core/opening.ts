import { assert } from "../base/assert.js";
import { hlcFromMs } from "./hlc.js";
import type { Policy } from "./live-set.js";
import {
  checkFormat,
  formatWrite,
  identityWrite,
  listedWrite,
  readFinals,
  readFloor,
  readIdentity,
  readRecord,
  readState,
  recordWrite,
  stateWrite,
  type Identity,
  type MembershipRecord,
} from "./meta.js";
import type { RowReader, RowWrite } from "./rows.js";
import { Vector } from "./vector.js";

/** What a new replica is. Without it, it is the founder and only member of generation 1. */
export interface Founding {
  readonly generation: number;
  /** The epoch at which this member joined: its name. */
  readonly epoch: number;
  readonly record: MembershipRecord;
  /** True for the founder; everyone else serves after its first catch-up. */
  readonly isServing: boolean;
}

/** How a replica is opened. */
export interface OpenOptions {
  readonly wallMs: number;
  readonly policy: Policy;
  /**
   * True if the stored state is certainly all that was ever acknowledged or sent: after a clean
   * stop, in `strict`, under the same OS boot, or when an aborted transaction made the host throw
   * the previous object away. False raises `restart`; the returned writes must then be on stable
   * storage before the first commit.
   */
  readonly resumes: boolean;
  readonly founding?: Founding;
  /** Bytes that a catch-up may stage; more than that is better joined afresh. */
  readonly stagedBytesMax?: number;
  /** Updates that may wait for earlier ones; more are dropped, and come with a catch-up. */
  readonly heldUpdatesMax?: number;
  /** The `hlc` of the object that was thrown away in this process; else the stored bound counts. */
  readonly hlc?: number;
}

/** What a replica begins with. */
export interface Loaded {
  readonly identity: Identity;
  readonly record: MembershipRecord;
  readonly vector: Vector;
  readonly hlc: number;
  readonly hlcBound: number;
  readonly floor: Vector;
  readonly finals: Vector;
  /** The epoch of the vector that is stored. */
  readonly listedEpoch: number;
  /** True if the vector is not what is stored. */
  readonly isDirty: boolean;
}

const FOUNDER: Founding = {
  generation: 1,
  epoch: 1,
  record: { epoch: 1, members: [1], past: [] },
  isServing: true,
};

/**
 * Loads a replica from its store, or makes a new one in an empty store.
 * @throws EnokiError `ENOKI_STORAGE_FORMAT` if the store was written in another format
 */
export function openStore(
  reader: RowReader,
  options: OpenOptions,
): { loaded: Loaded; writes: RowWrite[] } {
  if (!checkFormat(reader)) return createStore(options);
  const stored = readIdentity(reader);
  const { vector, hlcBound } = readState(reader);
  const identity = options.resumes ? stored : { ...stored, restart: stored.restart + 1 };
  const [record, floor, finals] = [readRecord(reader), readFloor(reader), readFinals(reader)];
  const listedEpoch = vector.epoch;
  const isDirty = identity.isServing && listAll(vector, identity, record);
  const writes = options.resumes ? [] : [identityWrite(identity)];
  if (isDirty) writes.push(stateWrite({ hlcBound, vector }), listedWrite(vector.epoch));
  const hlc = options.hlc ?? hlcBound;
  return {
    loaded: { identity, record, floor, finals, vector, listedEpoch, isDirty, hlcBound, hlc },
    writes,
  };
}

function createStore(options: OpenOptions): { loaded: Loaded; writes: RowWrite[] } {
  const { record, generation, epoch, isServing } = options.founding ?? FOUNDER;
  assert(record.epoch >= epoch, "a replica cannot act under a record older than its own join");
  const identity = { generation, epoch, restart: 0, isServing };
  const hlc = hlcFromMs(options.wallMs);
  const state = { hlcBound: hlc, vector: new Vector() };
  if (isServing) listAll(state.vector, identity, record);
  const writes = [formatWrite(), identityWrite(identity), recordWrite(record), stateWrite(state)];
  const [listedEpoch, isDirty] = [state.vector.epoch, false];
  if (isServing) writes.push(listedWrite(listedEpoch));
  const [floor, finals] = [new Vector(), new Vector()];
  return {
    loaded: { identity, record, floor, finals, ...state, listedEpoch, isDirty, hlc },
    writes,
  };
}

/** Lists the members of the record and the own origin; false if all were listed. */
function listAll(vector: Vector, identity: Identity, record: MembershipRecord): boolean {
  if (vector.epoch >= record.epoch && vector.lists(identity)) return false;
  vector.listMembers([...record.members, ...record.past], record.epoch);
  vector.raise({ epoch: identity.epoch, restart: identity.restart, counter: 0 });
  return true;
}
