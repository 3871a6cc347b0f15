import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { targetNodes } from "../cluster/function-changes.js";
import type { ClusterFunctionRecord } from "../cluster/records.js";
import type { View } from "../cluster/view.js";
import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import { type ArtefactFile, MANIFEST_NAME, parseManifest } from "../functions/artefact-manifest.js";
import type { ArtefactStore } from "../functions/artefacts.js";
import type { PeerRequests } from "../peers/requests.js";
import {
  type ArtefactRequest,
  ARTEFACT_METHOD,
  decodeArtefactRequest,
} from "./artefact-request.js";
import { tryFromRecord } from "./revision-code.js";

/** What serving artefacts takes. `docs/internals/deployment.md` has the format. */
export interface ArtefactServerOptions {
  readonly requests: Pick<PeerRequests, "serve">;
  readonly view: View;
  readonly store: ArtefactStore;
}

const STREAMS_MAX = 8;
const PIECE_BYTES = 128 * 1024;

/**
 * Gives the code of functions to the nodes that are to run them: the list of an artefact's files,
 * whose hash is its name, then the files one after another. Nothing goes to a node that the
 * function's record does not name.
 */
export function serveArtefacts(options: ArtefactServerOptions): void {
  let streams = 0;
  options.requests.serve(ARTEFACT_METHOD, ({ peer, body }) => {
    const request = decodeArtefactRequest(body);
    requireRight(peer, request, options.view);
    return bounded(read(options.store, request));
  });

  async function* bounded(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    if (streams >= STREAMS_MAX) {
      throw new EnokiError("ENOKI_QUEUE_FULL", "that node gives code to too many others");
    }
    streams += 1;
    try {
      yield* pieces;
    } finally {
      streams -= 1;
    }
  }
}

function requireRight(peer: NodeName, request: ArtefactRequest, view: View): void {
  const record = view.function(request.function);
  const known = view.node(peer)?.record;
  const targets = record && targetNodes(record, known ? [known] : []);
  if (!record || record.isRemoved || !targets?.includes(peer)) {
    const detail = `function "${request.function}" is not to run on "${peer}"`;
    throw new EnokiError("ENOKI_FORBIDDEN", detail);
  }
  if (!hashesOf(record).has(request.hash)) {
    throw new EnokiError("ENOKI_NOT_FOUND", `no revision of "${request.function}" has that hash`);
  }
}

/** The sources of a function's revisions, and the artefacts of their first builds. */
export function hashesOf(record: ClusterFunctionRecord): Set<string> {
  const revisions = record.revisions.flatMap((revision) => tryFromRecord(revision) ?? []);
  return new Set(revisions.flatMap(({ artefact, origin }) => [artefact, origin.source]));
}

async function* read(store: ArtefactStore, request: ArtefactRequest): AsyncIterable<Uint8Array> {
  const dir = store.path(request.hash);
  try {
    const text = await readFile(join(dir, MANIFEST_NAME));
    if (request.withManifest) {
      const size = Buffer.alloc(4);
      size.writeUInt32LE(text.length);
      yield Buffer.concat([size, text]);
    }
    yield* readFiles(dir, parseManifest(text.toString("utf8")) ?? [], request.from);
  } catch (error) {
    // It is not here, or was removed on the way.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new EnokiError("ENOKI_NOT_FOUND", "that node does not have it");
  }
}

async function* readFiles(
  dir: string,
  files: readonly ArtefactFile[],
  from: number,
): AsyncIterable<Uint8Array> {
  let skipBytes = from;
  for (const { path, sizeBytes } of files) {
    if (skipBytes < sizeBytes) {
      const options = { start: skipBytes, highWaterMark: PIECE_BYTES };
      for await (const piece of createReadStream(join(dir, path), options)) {
        yield piece as Uint8Array;
      }
    }
    skipBytes = Math.max(0, skipBytes - sizeBytes);
  }
}
