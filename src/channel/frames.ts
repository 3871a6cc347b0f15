/**
 * The numbers of the function channel, protocol 1. `docs/internals/function-channel.md` explains
 * them; the Python library holds the same numbers. Never change one.
 */
export { FrameReader } from "./frame-reader.js";
export { FrameWriter } from "./frame-writer.js";
export { ChannelError } from "./payload.js";

/** Version of the protocol that LOAD names. */
export const PROTOCOL_VERSION = 1;

/** Types of frames; below 0x80 from the node to the instance, above it the other way. */
export const FRAME = {
  load: 0x01,
  invoke: 0x02,
  cancel: 0x03,
  reply: 0x04,
  stop: 0x05,
  ping: 0x06,
  event: 0x07,
  ready: 0x81,
  loadFailed: 0x82,
  result: 0x83,
  failed: 0x84,
  operation: 0x85,
  log: 0x86,
  pong: 0x87,
  returned: 0x88,
  pace: 0x89,
} as const;

/** Operations of an OPERATION frame; `call` and `send` are not about a keygroup. */
export const OPERATION = {
  get: 1,
  entry: 2,
  set: 3,
  delete: 4,
  exists: 5,
  getMany: 6,
  scan: 7,
  json: 8,
  fresh: 9,
  call: 10,
  send: 11,
  within: 12,
  batch: 13,
} as const;

/** What a write of a `batch` does. */
export const BATCH_WRITE = { set: 1, setWithTtl: 2, delete: 3, increment: 4 } as const;

/** Flags of a `set` operation. */
export const SET_FLAG = { ifVersion: 1, ifAbsent: 2, ttl: 4 } as const;

/** Flags of a `scan` operation. */
export const SCAN_FLAG = { keysOnly: 1, reverse: 2, end: 4, prefix: 8, after: 16 } as const;

/**
 * Flags of INVOKE. `guard`: calls may follow before this one is answered, so watch how long it takes.
 * `asksNode`: while it runs, all reads go over the channel.
 */
export const INVOKE_FLAG = { body: 1, guard: 2, asksNode: 4 } as const;

/** Beside the status of a RESULT: the call has read from the store's file. */
export const RESULT_READ_FLAG = 0x8000;

/** What a `fresh` read does when the data are too stale. */
export const ON_STALE = { wait: 0, peer: 1, serve: 2, fail: 3 } as const;

/** Streams of a LOG frame. */
export const LOG_STREAM = { stdout: 1, stderr: 2 } as const;

/** First byte of a REPLY. */
export const REPLY_STATUS = { ok: 0, error: 1 } as const;
