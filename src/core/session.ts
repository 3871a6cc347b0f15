import { ByteReader, ByteWriter } from "./codec.js";
import { base64UrlBytes, base64UrlText } from "./base64.js";
import { DOT_BYTES_MIN, readDot, type Dot } from "./dot.js";
import { EnokiError } from "./errors.js";
import { parseKeygroupName, type KeygroupName } from "./ids.js";
import { LIMITS } from "./limits.js";
import { utf8Bytes, utf8Text } from "./text.js";
import { Vector } from "./vector.js";

/** What a client has seen of one keygroup. */
export interface SessionEntry {
  readonly generation: number;
  /**
   * The record under which all members have what is left out of `seen`. Whoever acts under an older one
   * may be a member no more, and lack it.
   */
  readonly epoch: number;
  /** Per origin the last commit it has seen, except what all members have on stable storage. */
  readonly seen: readonly Dot[];
}

/** What a client has seen and written. It travels as a token. */
export interface Session {
  readonly hlc: number;
  readonly keygroups: ReadonlyMap<KeygroupName, SessionEntry>;
}

/** The session of a client that has seen nothing. */
export const NEW_SESSION: Session = { hlc: 0, keygroups: new Map() };

/** Tells of a keygroup what all its members have on stable storage, if that is known here. */
export type StableVectorOf = (keygroup: KeygroupName) => Vector | undefined;

const TOKEN_VERSION = 2;

/** The session of someone who has seen what both have. */
export function mergeSessions(left: Session, right: Session): Session {
  const keygroups = new Map(left.keygroups);
  for (const [name, entry] of right.keygroups) {
    const known = keygroups.get(name);
    keygroups.set(name, known ? mergeEntries(known, entry) : entry);
  }
  return { hlc: Math.max(left.hlc, right.hlc), keygroups };
}

/** A later generation replaces an older one: what was seen of that is gone. */
function mergeEntries(left: SessionEntry, right: SessionEntry): SessionEntry {
  if (left.generation !== right.generation) {
    return left.generation > right.generation ? left : right;
  }
  const seen = new Vector([...left.seen, ...right.seen]).entries();
  return { generation: left.generation, epoch: Math.max(left.epoch, right.epoch), seen };
}

/**
 * The token of a session, of at most `LIMITS.sessionTokenBytesMax`. One that is too long is told
 * again without what all members have on stable storage by now.
 * @throws EnokiError `ENOKI_SESSION_TOO_LARGE` if that does not suffice
 */
export function encodeSession(session: Session, stableOf?: StableVectorOf): string {
  const token = tokenOf(session);
  if (token.length <= LIMITS.sessionTokenBytesMax) return token;
  const trimmed = stableOf ? tokenOf(trimSession(session, stableOf)) : token;
  if (trimmed.length <= LIMITS.sessionTokenBytesMax) return trimmed;
  throw new EnokiError(
    "ENOKI_SESSION_TOO_LARGE",
    `the session has seen ${session.keygroups.size} keygroups; its token would take ` +
      `${trimmed.length} bytes of ${LIMITS.sessionTokenBytesMax}`,
  );
}

/**
 * Reads a token that a client sent. `hlcMax`: no client can have seen a later time; one that claims
 * to would move this node's time.
 * @throws EnokiError `ENOKI_INVALID_INPUT`
 */
export function decodeSession(token: string, hlcMax: number): Session {
  const bytes = token.length <= LIMITS.sessionTokenBytesMax ? base64UrlBytes(token) : undefined;
  const session = bytes && readSession(bytes);
  if (session && session.hlc <= hlcMax) return session;
  throw new EnokiError("ENOKI_INVALID_INPUT", "session: this is no token of this cluster", {
    field: "session",
  });
}

function trimSession(session: Session, stableOf: StableVectorOf): Session {
  const keygroups = new Map<KeygroupName, SessionEntry>();
  for (const [name, { generation, epoch, seen }] of session.keygroups) {
    const stable = stableOf(name);
    const rest = stable ? seen.filter((dot) => !stable.covers(dot)) : seen;
    keygroups.set(name, { generation, epoch, seen: rest });
  }
  return { hlc: session.hlc, keygroups };
}

function tokenOf({ hlc, keygroups }: Session): string {
  const writer = new ByteWriter(256).byte(TOKEN_VERSION).varint(hlc).varint(keygroups.size);
  for (const [name, { generation, epoch, seen }] of keygroups) {
    writer.sized(utf8Bytes(name)).varint(generation).varint(epoch).varint(seen.length);
    for (const { epoch, restart, counter } of seen) {
      writer.varint(epoch).varint(restart).varint(counter);
    }
  }
  return base64UrlText(writer.finish());
}

function readSession(bytes: Uint8Array): Session | undefined {
  try {
    const reader = ByteReader.foreign(bytes);
    if (reader.byte() !== TOKEN_VERSION) return undefined;
    const hlc = reader.varint();
    const keygroups = new Map(reader.list(5, readEntry));
    return reader.isAtEnd ? { hlc, keygroups } : undefined;
  } catch (error) {
    if (error instanceof EnokiError) return undefined;
    throw error;
  }
}

function readEntry(reader: ByteReader): [KeygroupName, SessionEntry] {
  const nameBytes = reader.take(reader.varint());
  reader.require(
    nameBytes.every((byte) => byte < 0x80),
    "a name is not ASCII",
  );
  const name = parseKeygroupName(utf8Text(nameBytes));
  const [generation, epoch] = [reader.varint(), reader.varint()];
  return [name, { generation, epoch, seen: reader.list(DOT_BYTES_MIN, readDot) }];
}
