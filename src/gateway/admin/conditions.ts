import { EnokiError } from "../../core/errors.js";
import type { KeygroupFacade } from "../../keygroups/types.js";

/** Tries of a write whose condition still holds although the key was written meanwhile. */
const ATTEMPTS_MAX = 16;

/** The tags of an `If-Match` or `If-None-Match` header. */
interface TagList {
  /** `*` */
  readonly any: boolean;
  readonly strong: ReadonlySet<string>;
  readonly weak: ReadonlySet<string>;
}

/** The conditions of one request. */
export interface Conditions {
  readonly ifMatch: TagList | undefined;
  readonly ifNoneMatch: TagList | undefined;
}

/** An entity tag made from a version. */
export function etagOf(version: string): string {
  return `"${version}"`;
}

/** Reads both headers. @throws EnokiError `ENOKI_INVALID_INPUT`, naming the header */
export function readConditions(headers: Headers): Conditions {
  return {
    ifMatch: readTags("If-Match", headers.get("if-match")),
    ifNoneMatch: readTags("If-None-Match", headers.get("if-none-match")),
  };
}

function readTags(name: string, text: string | null): TagList | undefined {
  if (text === null) return undefined;
  const strong = new Set<string>();
  const weak = new Set<string>();
  if (text.trim() === "*") return { any: true, strong, weak };
  const tag = /\s*(W\/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)/y;
  while (tag.lastIndex < text.length) {
    const match = tag.exec(text);
    if (!match) {
      throw new EnokiError(
        "ENOKI_INVALID_INPUT",
        `${name}: expected * or versions in double quotes, such as "v1"`,
        { field: name },
      );
    }
    (match[1] === undefined ? strong : weak).add(match[2] as string);
  }
  return { any: false, strong, weak };
}

/** True if a reader that sent `If-None-Match` has this version already (304). */
export function isUnchanged({ ifNoneMatch }: Conditions, version: string): boolean {
  if (!ifNoneMatch) return false;
  return ifNoneMatch.any || ifNoneMatch.strong.has(version) || ifNoneMatch.weak.has(version);
}

/**
 * Throws unless the conditions hold for a key that has `version` now (`undefined` = absent).
 * @throws EnokiError `ENOKI_VERSION_CONFLICT`
 */
export function requireConditions(
  { ifMatch, ifNoneMatch }: Conditions,
  version: string | undefined,
): void {
  if (ifMatch) {
    if (version === undefined) throw conflict("the key is absent");
    if (!ifMatch.any && !ifMatch.strong.has(version)) throw conflict("it has another version");
  }
  if (ifNoneMatch && version !== undefined) {
    if (ifNoneMatch.any) throw conflict("the key exists");
    if (ifNoneMatch.strong.has(version) || ifNoneMatch.weak.has(version)) {
      throw conflict("it has that version");
    }
  }
}

/**
 * Runs `write` with the check that makes the conditions hold at the moment of the write, or with
 * none. A check that fails by a write in between is tried again while the conditions still hold,
 * as with `If-Match: *`.
 */
export async function writeUnder<T>(
  conditions: Conditions,
  keygroup: KeygroupFacade,
  key: string,
  write: (checks: readonly { key: string; version: string | null }[]) => Promise<T>,
): Promise<T> {
  if (!conditions.ifMatch && !conditions.ifNoneMatch) return write([]);
  for (let attempt = 1; ; attempt++) {
    const version = keygroup.entry(key)?.version;
    requireConditions(conditions, version);
    try {
      return await write([{ key, version: version ?? null }]);
    } catch (error) {
      const isConflict = error instanceof EnokiError && error.code === "ENOKI_VERSION_CONFLICT";
      if (!isConflict || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

function conflict(reason: string): EnokiError {
  return new EnokiError("ENOKI_VERSION_CONFLICT", reason);
}
