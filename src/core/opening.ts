import { hlcFromMs } from "./hlc.js";
import type { Policy } from "./live-set.js";
import {
  checkFormat,
  formatWrite,
  identityWrite,
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
  const [record, floor, hlc] = [readRecord(reader), readFloor(reader), options.hlc ?? hlcBound];
  return {
    loaded: { identity, record, floor, vector, hlcBound, hlc },
    writes: options.resumes ? [] : [identityWrite(identity)],
  };
}

function createStore(options: OpenOptions): { loaded: Loaded; writes: RowWrite[] } {
  const { record, generation, epoch, isServing } = options.founding ?? FOUNDER;
  const identity = { generation, epoch, restart: 0, isServing };
  const hlc = hlcFromMs(options.wallMs);
  const state = { hlcBound: hlc, vector: new Vector() };
  return {
    loaded: { identity, record, floor: new Vector(), ...state, hlc },
    writes: [formatWrite(), identityWrite(identity), recordWrite(record), stateWrite(state)],
  };
}
