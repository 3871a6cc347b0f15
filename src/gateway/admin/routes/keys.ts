import * as z from "zod";

import { compareBytes } from "../../../base/bytes.js";
import { EnokiError } from "../../../core/errors.js";
import { LIMITS } from "../../../core/limits.js";
import { durationField, flagField, integerField } from "../../../input/fields.js";
import { parseInput } from "../../../input/parse-input.js";
import { showJsonValue } from "../../../keygroups/json-values.js";
import type {
  KeygroupFacade,
  ScanRequest,
  WriteOperation,
  WriteOutcome,
} from "../../../keygroups/types.js";
import { readBody } from "../body.js";
import {
  etagOf,
  isUnchanged,
  readConditions,
  requireConditions,
  writeUnder,
  type Conditions,
} from "../conditions.js";
import { freshQuery, onData, onRead, sessionHeader } from "../data-access.js";
import type { AdminDeps } from "../deps.js";
import { contentTypeOf, valueOfBody } from "../raw-values.js";
import { json } from "../responses.js";
import { route, type AdminCall, type AdminRoute } from "../route.js";
import { explanationSchema, keyPageSchema } from "../schemas.js";
import { soleKeyReport } from "../../../keygroups/overview/key-report.js";
import { isoTime, showExplanation } from "../views.js";

const PATH = "/v1/keygroups/{keygroup}/keys/{key}";

const ifMatch = { name: "If-Match", description: "Versions in quotes, or *: only if it has one" };
const ifNoneMatch = {
  name: "If-None-Match",
  description: "Versions in quotes, or *: only if it has none of them",
};

const pageQuerySchema = z.strictObject({
  prefix: z.string().optional(),
  start: z.string().optional(),
  end: z.string().optional(),
  after: z.string().optional(),
  limit: integerField(0, Number.MAX_SAFE_INTEGER).optional(),
  reverse: flagField.optional(),
  values: flagField.optional(),
  ...freshQuery,
});

/** Keys and raw values. */
export function keyRoutes(deps: AdminDeps): AdminRoute[] {
  return [pageRoute(deps), getRoute(deps), putRoute(deps), deleteRoute(deps), explainRoute(deps)];
}

function pageRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "GET",
    path: "/v1/keygroups/{keygroup}/keys",
    id: "listKeys",
    access: "read",
    right: "read",
    tag: "keys",
    summary: "A page of keys in byte order; the next page is `after` this one's `next`",
    query: pageQuerySchema,
    responses: {
      200: {
        description: "At most 1,000 keys of one snapshot",
        contentType: "application/json",
        schema: keyPageSchema,
      },
    },
    headers: [sessionHeader],
    handle: (call) =>
      onRead(deps, call, (keygroup) => {
        const page = keygroup.scan(toScanRequest(call.query));
        const items = page.items.map(({ key, value }) =>
          value === undefined ? { key } : { key, value: showJsonValue(value) },
        );
        return json({ items, next: page.more ? (items.at(-1)?.key ?? null) : null });
      }),
  });
}

function toScanRequest(query: z.output<typeof pageQuerySchema>): ScanRequest {
  const { prefix, start, end, after } = query;
  const page = {
    reverse: query.reverse ?? false,
    keysOnly: query.values !== true,
    limit: Math.min(query.limit ?? 0, LIMITS.scanPageItemsMax),
  };
  if (prefix !== undefined) {
    if (start !== undefined || end !== undefined) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "query.prefix: excludes start and end", {
        field: "query.prefix",
      });
    }
    return { ...page, prefix, ...(after === undefined ? {} : { start: after, after: true }) };
  }
  if (after !== undefined && page.reverse) {
    const until = end === undefined || isBefore(after, end) ? after : end;
    return { ...page, end: until, ...(start === undefined ? {} : { start }) };
  }
  const isPastStart = after !== undefined && (start === undefined || !isBefore(after, start));
  return {
    ...page,
    ...(isPastStart ? { start: after, after: true } : start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
  };
}

function isBefore(left: string, right: string): boolean {
  return compareBytes(Buffer.from(left), Buffer.from(right)) < 0;
}

function getRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "GET",
    path: PATH,
    id: "getValue",
    access: "read",
    right: "read",
    tag: "keys",
    summary: "The raw value of a key",
    query: z.strictObject(freshQuery),
    headers: [ifMatch, ifNoneMatch, sessionHeader],
    responses: {
      200: {
        description: "The value; its content type says its type",
        contentType: "*/*",
        headers: ["ETag", "Enoki-Expires-At", "Enoki-Staleness-Ms", "Enoki-Session"],
      },
      304: { description: "The client has this version" },
    },
    handle: (call) =>
      onRead(deps, call, (keygroup) =>
        valueOf(keygroup, call.param("key"), readConditions(call.request.headers)),
      ),
  });
}

function valueOf(keygroup: KeygroupFacade, key: string, conditions: Conditions): Response {
  const entry = keygroup.entry(key);
  if (!entry) throw new EnokiError("ENOKI_KEY_NOT_FOUND", `no key ${JSON.stringify(key)}`);
  const { value, version, expiresAtMs } = entry;
  if (conditions.ifMatch) requireConditions({ ...conditions, ifNoneMatch: undefined }, version);
  const headers: Record<string, string> = { ETag: etagOf(version) };
  if (expiresAtMs !== 0) headers["Enoki-Expires-At"] = isoTime(expiresAtMs);
  if (isUnchanged(conditions, version)) return new Response(null, { status: 304, headers });
  headers["Content-Type"] = contentTypeOf(value);
  headers["Content-Length"] = String(value.bytes.length);
  return new Response(value.bytes as Uint8Array<ArrayBuffer>, { headers });
}

function putRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "PUT",
    path: PATH,
    id: "setValue",
    access: "admin",
    right: "write",
    tag: "keys",
    summary: "Set a key to the raw body: text/* → str, application/json → JSON, else bytes",
    headers: [
      ifMatch,
      ifNoneMatch,
      { name: "Enoki-Ttl", description: "Duration after which the key expires" },
      sessionHeader,
    ],
    requestBody: { description: "The value", contentType: "*/*" },
    responses: {
      200: {
        description: "It is stored",
        contentType: "application/json",
        schema: z.strictObject({ version: z.string() }),
        headers: ["ETag", "Enoki-Session"],
      },
    },
    handle: (call) => onData(deps, call, (keygroup) => put(keygroup, call)),
  });
}

async function put(keygroup: KeygroupFacade, call: AdminCall<unknown>): Promise<Response> {
  const { headers } = call.request;
  const conditions = readConditions(headers);
  const ttl = headers.get("enoki-ttl");
  const ttlMs = ttl === null ? undefined : parseInput(durationField, ttl, "Enoki-Ttl");
  const body = await readBody(call.request, {
    sizeBytesMax: LIMITS.valueSizeBytesMax,
    code: "ENOKI_VALUE_TOO_LARGE",
  });
  const value = valueOfBody(headers.get("content-type"), body);
  const key = call.param("key");
  const write: WriteOperation = {
    op: "set",
    key,
    value,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
  const outcome = await writeUnder(conditions, keygroup, key, (checks) =>
    keygroup.write({ checks, writes: [write] }),
  );
  const { version } = firstResult(outcome);
  return json({ version }, 200, version === null ? {} : { ETag: etagOf(version) });
}

function deleteRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "DELETE",
    path: PATH,
    id: "deleteKey",
    access: "admin",
    right: "write",
    tag: "keys",
    summary: "Delete a key; deleting what is not there is no error",
    headers: [ifMatch, sessionHeader],
    responses: {
      200: {
        description: "It is gone",
        contentType: "application/json",
        schema: z.strictObject({ existed: z.boolean() }),
      },
    },
    handle: (call) =>
      onData(deps, call, async (keygroup) => {
        const key = call.param("key");
        const conditions = readConditions(call.request.headers);
        const outcome = await writeUnder(conditions, keygroup, key, (checks) =>
          keygroup.write({ checks, writes: [{ op: "delete", key }] }),
        );
        return json({ existed: firstResult(outcome).existed === true });
      }),
  });
}

function explainRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "GET",
    path: `${PATH}/explain`,
    id: "explainKey",
    access: "read",
    right: "read",
    tag: "keys",
    summary: "Which node and invocation wrote the value, when, its siblings, and who has it",
    responses: {
      200: {
        description: "All versions that are kept",
        contentType: "application/json",
        schema: explanationSchema,
      },
    },
    handle: (call) =>
      onData(deps, call, async (keygroup) => {
        const key = call.param("key");
        const report =
          (await deps.overview?.key(keygroup.name, key)) ??
          soleKeyReport(deps.node().name, keygroup.explain(key));
        if (report.versions.length > 0) return json(showExplanation(report));
        throw new EnokiError("ENOKI_KEY_NOT_FOUND", `no key ${JSON.stringify(key)}`);
      }),
  });
}

function firstResult(outcome: WriteOutcome): WriteOutcome["results"][number] {
  return outcome.results[0] as WriteOutcome["results"][number];
}
