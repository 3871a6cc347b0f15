/** Larger pieces get memory of their own. */
const PIECE_BYTES_MAX = 1024;
const ROOM_BYTES = 32 * 1024;
/** V8 keeps typed arrays up to this size on its own heap, without an `ArrayBuffer`. */
const ON_HEAP_BYTES_MAX = 64;

let room = new Uint8Array(ROOM_BYTES);
let used = 0;

/**
 * Gives fresh bytes for something short-lived that will be handed to native code, cut from a larger
 * piece: what is not needed any more must not be kept alive by what is.
 *
 * why: V8 makes an `ArrayBuffer` for a small typed array only when native code or `subarray` asks
 * for it, and that costs ten times as much as the bytes themselves.
 */
export function takeBytes(sizeBytes: number): Uint8Array {
  if (sizeBytes > PIECE_BYTES_MAX) return new Uint8Array(sizeBytes);
  if (used + sizeBytes > ROOM_BYTES) {
    room = new Uint8Array(ROOM_BYTES);
    used = 0;
  }
  const start = used;
  used = start + sizeBytes;
  return room.subarray(start, used);
}

/**
 * The bytes from `start` to `end`: a view of large ones, a copy of small ones, which is cheaper (see
 * {@link takeBytes}). For readers, who change neither.
 */
export function cutBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const sizeBytes = end - start;
  if (sizeBytes > ON_HEAP_BYTES_MAX) return bytes.subarray(start, end);
  const copy = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) copy[i] = bytes[start + i] as number;
  return copy;
}
