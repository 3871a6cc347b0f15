import { EnokiError } from "../core/errors.js";

/** Bytes that a file system takes in one name. */
const SEGMENT_BYTES_MAX = 255;
/** Bytes of a whole path; leaves room for the folder it is unpacked into. */
const PATH_BYTES_MAX = 1024;

type Kind = "file" | "folder";

/**
 * Checks the paths of an archive one by one. Invariant: every accepted path is relative, stays
 * inside the folder, and differs from every other one even where case does not count.
 */
export class MemberPaths {
  readonly #seen = new Map<string, { readonly path: string; readonly kind: Kind }>();

  /**
   * Takes the raw name of a member and returns the path to unpack it to, without a trailing `/`;
   * `""` for the top folder itself.
   * @throws EnokiError `ENOKI_INVALID_ARCHIVE`, naming the path
   */
  accept(name: string): { readonly path: string; readonly kind: Kind } {
    const kind: Kind = name.endsWith("/") ? "folder" : "file";
    const segments = safeSegments(kind === "folder" ? name.slice(0, -1) : name, name);
    for (let depth = 1; depth < segments.length; depth++) {
      this.#claim(segments.slice(0, depth).join("/"), "folder");
    }
    const path = segments.join("/");
    if (path !== "") this.#claim(path, kind);
    else if (kind === "file") throw unsafe(name, "is an empty path");
    return { path, kind };
  }

  #claim(path: string, kind: Kind): void {
    const folded = path.normalize("NFC").toLowerCase();
    const other = this.#seen.get(folded);
    if (other === undefined) {
      this.#seen.set(folded, { path, kind });
    } else if (other.path !== path) {
      throw unsafe(path, `differs from ${JSON.stringify(other.path)} only in case`);
    } else if (other.kind !== kind) {
      throw unsafe(path, "is a file and a folder");
    } else if (kind === "file") {
      throw unsafe(path, "is there twice");
    }
  }
}

function safeSegments(path: string, shown: string): string[] {
  if (path.includes("\0")) throw unsafe(shown, "has a NUL in its path");
  if (path.includes("\\")) throw unsafe(shown, "has a backslash in its path");
  if (path.startsWith("/")) throw unsafe(shown, "is an absolute path");
  if (/^[A-Za-z]:/.test(path)) throw unsafe(shown, "begins with a drive letter");
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) throw unsafe(shown, "is too long a path");
  const segments = path.split("/").filter((segment) => segment !== ".");
  for (const segment of segments) {
    if (segment === "..") throw unsafe(shown, "leaves the folder");
    if (segment === "" && path !== "") throw unsafe(shown, "has an empty name in its path");
    if (Buffer.byteLength(segment) > SEGMENT_BYTES_MAX) throw unsafe(shown, "has too long a name");
  }
  return segments;
}

/** The error for a member that must not be unpacked. */
export function unsafe(path: string, reason: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_ARCHIVE", `${JSON.stringify(path.slice(0, 300))} ${reason}`);
}
