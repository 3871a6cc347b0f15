import * as z from "zod";

import { EnokiError } from "../core/errors.js";
import { type FunctionName, parseFunctionName } from "../core/ids.js";

/** The number of this request among all that nodes answer. Never change it. */
export const ARTEFACT_METHOD = 16;

/** What one node asks another for: an artefact of a function, from some byte of its files on. */
export interface ArtefactRequest {
  readonly function: FunctionName;
  readonly hash: string;
  /** Whether the list of files is to come first. */
  readonly withManifest: boolean;
  /** Where to begin in the files, one after another in the order of the list. */
  readonly from: number;
}

const requestSchema = z.object({
  function: z.string(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  withManifest: z.boolean(),
  from: z.number().int().nonnegative(),
});

/** Writes a request. */
export function encodeArtefactRequest(request: ArtefactRequest): Uint8Array {
  return Buffer.from(JSON.stringify(request));
}

/** Reads a request. @throws EnokiError `ENOKI_PROTOCOL` */
export function decodeArtefactRequest(bytes: Uint8Array): ArtefactRequest {
  try {
    const given = requestSchema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
    return { ...given, function: parseFunctionName(given.function) };
  } catch {
    throw new EnokiError("ENOKI_PROTOCOL", "a malformed request for an artefact");
  }
}
