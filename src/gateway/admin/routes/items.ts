import * as z from "zod";

import { EnokiError } from "../../../core/errors.js";
import { LIMITS } from "../../../core/limits.js";
import { parseInput } from "../../../input/parse-input.js";
import { exportLine } from "../../../keygroups/export-line.js";
import { readExportedValue } from "../../../keygroups/json-values.js";
import type { ExportedItem, KeygroupFacade } from "../../../keygroups/types.js";
import { linesOf, parseJson } from "../body.js";
import { onData } from "../data-access.js";
import type { AdminDeps } from "../deps.js";
import { json } from "../responses.js";
import { route, type AdminRoute } from "../route.js";
import { exportedItemSchema } from "../schemas.js";
import { lineStream, NDJSON } from "../streams.js";

/** A chunk is imported once it has this many items or bytes. */
const CHUNK_ITEMS = LIMITS.scanPageItemsMax;
const CHUNK_BYTES = LIMITS.scanPageBytesMax;

/** A value of control characters takes six bytes each in JSON; then its key and the rest. */
const LINE_BYTES_MAX = 6 * (LIMITS.valueSizeBytesMax + LIMITS.keySizeBytesMax) + 1024;

/** All items of a keygroup, out and in again. */
export function itemRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    route({
      method: "GET",
      path: "/v1/keygroups/{keygroup}/export",
      id: "exportItems",
      access: "read",
      right: "read",
      tag: "keys",
      summary: "All keys with values, types and expiry, a line each, CRDTs with their state",
      responses: { 200: { description: "Items", contentType: NDJSON, schema: exportedItemSchema } },
      handle: (call) =>
        onData(deps, call, (keygroup) => lineStream(exportLines(keygroup), NDJSON, deps.logger)),
    }),
    route({
      method: "POST",
      path: "/v1/keygroups/{keygroup}/import",
      id: "importItems",
      access: "admin",
      right: "write",
      tag: "keys",
      summary: "Write the lines of an export; those before a bad line stay imported in chunks",
      requestBody: {
        description: "Lines of an export",
        contentType: NDJSON,
        schema: exportedItemSchema,
      },
      responses: {
        200: {
          description: "All lines are imported",
          contentType: "application/json",
          schema: z.strictObject({ imported: z.int().min(0) }),
        },
      },
      handle: (call) =>
        onData(deps, call, async (keygroup) =>
          json({ imported: await importLines(call.request, keygroup) }),
        ),
    }),
  ];
}

function* exportLines(keygroup: KeygroupFacade): Generator<string> {
  for (const item of keygroup.exportItems()) yield exportLine(item);
}

async function importLines(request: Request, keygroup: KeygroupFacade): Promise<number> {
  let imported = 0;
  let lineNumber = 0;
  let chunk: ExportedItem[] = [];
  let chunkBytes = 0;
  const flush = async (): Promise<void> => {
    imported += await keygroup.importItems(chunk);
    chunk = [];
    chunkBytes = 0;
  };
  try {
    const lines = linesOf(request, { sizeBytesMax: LINE_BYTES_MAX, code: "ENOKI_BODY_TOO_LARGE" });
    for await (const line of lines) {
      lineNumber++;
      const item = readLine(line, lineNumber);
      if (!item) continue;
      chunk.push(item);
      chunkBytes += line.length;
      if (chunk.length >= CHUNK_ITEMS || chunkBytes >= CHUNK_BYTES) await flush();
    }
    if (chunk.length > 0) await flush();
    return imported;
  } catch (error) {
    if (!(error instanceof EnokiError)) throw error;
    // why: what is in stays in, so the client must learn how far it got.
    const detail = `${error.message} (${imported} items were imported before)`;
    throw new EnokiError(error.code, detail, { ...error.extra, imported });
  }
}

/** `undefined` for an empty line. @throws EnokiError that names the line */
function readLine(line: Buffer, lineNumber: number): ExportedItem | undefined {
  if (/^\s*$/.test(line.toString("latin1", 0, 64)) && line.toString().trim() === "") {
    return undefined;
  }
  try {
    const { key, value, expiresAt } = parseInput(exportedItemSchema, parseJson(line, "it"));
    const expiresAtMs = expiresAt === undefined ? 0 : Date.parse(expiresAt);
    return { key, value: readExportedValue(value), expiresAtMs };
  } catch (error) {
    if (!(error instanceof EnokiError)) throw error;
    const detail = `line ${lineNumber}: ${error.message}`;
    throw new EnokiError(error.code, detail, { ...error.extra, line: lineNumber });
  }
}
