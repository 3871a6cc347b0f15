export { ERRORS, EnokiError, isErrorCode, type ErrorCode, type ErrorDefinition } from "./errors.js";
export { LIMITS } from "./limits.js";
export { TAG, isCrdt, type Tag, type TypedValue } from "./value.js";
export {
  compareDots,
  compareOrigins,
  equalDots,
  formatDot,
  parseDot,
  type Dot,
  type Origin,
} from "./dot.js";
export { hlcFromMs, hlcToMs, tick, type Hlc } from "./hlc.js";
export { Vector, type VectorOrder } from "./vector.js";
export {
  compareVersions,
  decodeItem,
  dotsOf,
  encodeItem,
  TOMBSTONE,
  type Version,
} from "./item.js";
export {
  INTERNAL_KEY_PREFIX,
  itemKeyOf,
  itemRowKey,
  ROW_PREFIX,
  USER_ITEM_ROWS,
  type RowPair,
  type RowRange,
  type RowReader,
  type RowWrite,
} from "./rows.js";
export { STORAGE_FORMAT, type Identity, type MembershipRecord } from "./meta.js";
export type { Policy } from "./live-set.js";
export type {
  ChunkEffects,
  CommitEffects,
  Mutation,
  ReceiveEffects,
  Stamp,
  Update,
  UpdateEntry,
} from "./update.js";
export type {
  CatchUpAnswer,
  CatchUpChunk,
  CatchUpCursor,
  CatchUpEnd,
  CatchUpRecord,
  CatchUpRequest,
  ChunkBudget,
  LiveEntry,
} from "./catch-up.js";
export type { Founding, OpenOptions } from "./opening.js";
export type { Heartbeat, StandingOutcome } from "./heartbeat.js";
export type { Standing } from "./standing.js";
export { Replica } from "./replica.js";
export { isExpired, versionToken, visibleValue, visibleVersions } from "./visible.js";
export {
  applyDelta,
  counterNumber,
  crdtJson,
  deltaTag,
  joinStates,
  type Delta,
} from "./crdt/index.js";
export { canonicalJson, type Json } from "./crdt/json.js";
export { utf8Bytes, utf8Text } from "./text.js";
