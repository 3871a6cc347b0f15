import { EnokiError } from "../core/errors.js";
import { availableBytes } from "./disk-space.js";

/** Codes of LMDB and of the system for "no space": the map or the disk is full, or the quota is used up. */
const NO_SPACE_CODES: ReadonlySet<unknown> = new Set([-30792, 28, 122, "ENOSPC", "EDQUOT"]);

/** Input/output error, which LMDB reports too when only the first part of a write fitted on the disk. */
const EIO = 5;

/** A disk with less than this is full to LMDB, which writes up to 64 pages at once. */
const FULL_BELOW_BYTES = 1024 * 1024;

/** Turns what LMDB or the disk under `folder` threw into the error for a full disk, if that is the cause. */
export function toStorageError(error: unknown, folder: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const isFull =
    NO_SPACE_CODES.has(code) || (code === EIO && availableBytes(folder) < FULL_BELOW_BYTES);
  return isFull ? new EnokiError("ENOKI_DISK_FULL") : error;
}
