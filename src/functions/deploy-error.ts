import { EnokiError } from "../core/errors.js";

/** What a failed deploy is to be told for: `ENOKI_DISK_FULL` if the file system had no room. */
export function toDeployError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new EnokiError("ENOKI_DISK_FULL", "the disk is full: there is no room for the revision");
}
