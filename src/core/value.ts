/**
 * The type of a stored value. Plain values keep the bytes the writer sent; CRDT values keep the
 * canonical encoding of their state (see `crdt/`) and are shown to readers as JSON.
 * The numbers are part of storage format 1 and of the function channel: never change one.
 */
export const TAG = {
  /** A tombstone. Only inside the store; no reader sees it. */
  tombstone: 0,
  /** UTF-8 text. */
  str: 1,
  /** Any bytes. */
  bytes: 2,
  /** JSON text in UTF-8. */
  json: 3,
  /** A counter CRDT. */
  counter: 4,
  /** An observed-remove set CRDT. */
  set: 5,
  /** A map CRDT of registers and counters. */
  map: 6,
} as const;

/** One of the numbers in {@link TAG}. */
export type Tag = (typeof TAG)[keyof typeof TAG];

/** A value with its type, as it is stored and as it travels. */
export interface TypedValue {
  readonly tag: Tag;
  readonly bytes: Uint8Array;
}

/** True for the types whose concurrent versions are joined when read. */
export function isCrdt(tag: Tag): boolean {
  return tag >= TAG.counter;
}
