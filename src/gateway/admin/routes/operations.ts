import { z } from "zod";

import { EnokiError } from "../../../core/errors.js";
import { LIMITS } from "../../../core/limits.js";
import { executeJsonOperation, jsonOperationSchema } from "../../../keygroups/json-operations.js";
import { showJsonValue } from "../../../keygroups/json-values.js";
import { readJson } from "../body.js";
import { onData, sessionHeader } from "../data-access.js";
import type { AdminDeps } from "../deps.js";
import { json } from "../responses.js";
import { route, type AdminRoute } from "../route.js";
import { watchEventSchema } from "../schemas.js";
import { eventStream, NDJSON } from "../streams.js";

/** Everything that a function can do with its keygroup, and the changes as they happen. */
export function operationRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    route({
      method: "POST",
      path: "/v1/keygroups/{keygroup}/operations",
      id: "runOperation",
      access: "admin",
      tag: "keys",
      summary: "Run one operation: counters, sets, maps, batches, siblings, reads",
      requestBody: {
        description: "The operation",
        contentType: "application/json",
        schema: jsonOperationSchema,
      },
      responses: {
        200: {
          description: "Its reply",
          contentType: "application/json",
          schema: z.looseObject({}),
        },
      },
      headers: [sessionHeader],
      handle: (call) =>
        onData(deps, call, async (keygroup) => {
          const request = await readJson(call.request, z.unknown(), LIMITS.frameBytesMax);
          refuseWatch(request);
          return json(await executeJsonOperation(keygroup, request, {}));
        }),
    }),
    route({
      method: "GET",
      path: "/v1/keygroups/{keygroup}/watch",
      id: "watchKeys",
      access: "read",
      tag: "keys",
      summary: "A line per change of a key, until the client leaves",
      query: z.strictObject({ prefix: z.string().optional(), start: z.string().optional() }),
      responses: {
        200: { description: "Changes", contentType: NDJSON, schema: watchEventSchema },
      },
      handle: (call) => {
        const { prefix, start } = call.query;
        if (prefix !== undefined && start !== undefined) {
          throw new EnokiError("ENOKI_INVALID_INPUT", "query.prefix: excludes start", {
            field: "query.prefix",
          });
        }
        const range = {
          ...(prefix === undefined ? {} : { prefix }),
          ...(start === undefined ? {} : { start }),
        };
        return onData(deps, call, (keygroup) => {
          if (!call.wantsBody) return new Response(null, { headers: { "Content-Type": NDJSON } });
          return eventStream([call.request.signal, deps.draining], [], (send) =>
            keygroup.watch(range, ({ key, value, version }) =>
              send({ key, value: value === undefined ? null : showJsonValue(value), version }),
            ),
          );
        });
      },
    }),
  ];
}

function refuseWatch(request: unknown): void {
  const op = (request as { op?: unknown } | null)?.op;
  if (op !== "watch" && op !== "unwatch") return;
  throw new EnokiError("ENOKI_UNSUPPORTED", "over HTTP, watch is GET /v1/keygroups/{kg}/watch");
}
