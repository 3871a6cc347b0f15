import type { Dot } from "../core/dot.js";
import type { RowReader, RowWrite } from "../core/rows.js";
import type { TypedValue } from "../core/value.js";
import type { SendOrigin } from "./asker.js";

/** A key that readers see otherwise than before. */
export interface KeyChange {
  /** UTF-8. */
  readonly key: Buffer;
  /** `undefined` = nothing was there. */
  readonly before: TypedValue | undefined;
  /** `undefined` = nothing is there. */
  readonly after: TypedValue | undefined;
  /** Of what is there, as in an entry, or of what deleted it. */
  readonly version: string;
  /** The commits that this version names. */
  readonly dots: readonly Dot[];
  /** The hybrid time of the latest of them. */
  readonly hlc: number;
}

/** What has changed keys, within the transaction of a turn. */
export interface ChangeStep {
  /** A commit that was made here, on behalf of `origin` if of anybody's. Else it came from another member. */
  readonly isOwn: boolean;
  readonly origin: SendOrigin | undefined;
  readonly reader: RowReader;
}

/** What follows from changes. */
export interface Reaction {
  /** Local rows, stored in the same transaction. */
  readonly writes: readonly RowWrite[];
  /** To be called once that is committed. */
  readonly committed: () => void;
}

/** Somebody on whom it depends what else is stored with the changes of one keygroup. */
export interface Reactions {
  /** True if changes of that key matter. */
  wants(key: Uint8Array): boolean;
  /** True if the other members are to know how deep a call was that wrote that key. */
  keepsDepth(key: Uint8Array): boolean;
  /** What follows from the changes of one step; several calls of one step each have some of the keys. */
  to(changes: readonly KeyChange[], step: ChangeStep): Reaction;
}
