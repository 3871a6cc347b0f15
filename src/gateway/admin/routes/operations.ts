import * as z from "zod";

import { EnokiError } from "../../../core/errors.js";
import { parseKeygroupName } from "../../../core/ids.js";
import { LIMITS } from "../../../core/limits.js";
import { includesRole } from "../../../core/rights.js";
import { executeJsonOperation, jsonOperationSchema } from "../../../keygroups/json-operations.js";
import { showJsonValue } from "../../../keygroups/json-values.js";
import { rightsOfJson } from "../../../keygroups/operation-rights.js";
import { readJson } from "../body.js";
import { onData, sessionHeader } from "../data-access.js";
import type { AdminDeps } from "../deps.js";
import { requireRight } from "../keygroup-rights.js";
import { json } from "../responses.js";
import { route, type AdminCall, type AdminRoute } from "../route.js";
import { watchEventSchema } from "../schemas.js";
import { eventStream, NDJSON } from "../streams.js";

/** Everything that a function can do with its keygroup, and the changes as they happen. */
export function operationRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    route({
      method: "POST",
      path: "/v1/keygroups/{keygroup}/operations",
      id: "runOperation",
      access: "any",
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
      handle: async (call) => {
        const { caller, request } = call;
        // why here: another node may be asked for it, which knows nothing of who asks.
        if (!includesRole(caller.role, "admin")) {
          requireOperation(deps, call, await readOperation(request.clone()));
        }
        return onData(deps, call, async (keygroup) =>
          json(await executeJsonOperation(keygroup, await readOperation(request), {})),
        );
      },
    }),
    route({
      method: "GET",
      path: "/v1/keygroups/{keygroup}/watch",
      id: "watchKeys",
      isEndless: true,
      access: "read",
      right: "read",
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

/** @throws EnokiError `ENOKI_UNSUPPORTED` for a watch */
async function readOperation(request: Request): Promise<unknown> {
  const operation = await readJson(request, z.unknown(), LIMITS.frameBytesMax);
  const op = opOf(operation);
  if (op !== "watch" && op !== "unwatch") return operation;
  throw new EnokiError("ENOKI_UNSUPPORTED", "over HTTP, watch is GET /v1/keygroups/{kg}/watch");
}

function requireOperation(
  { grants }: AdminDeps,
  { caller, param }: AdminCall<unknown>,
  operation: unknown,
): void {
  const needed = rightsOfJson(opOf(operation));
  const role = needed.includes("write") ? "admin" : "read";
  requireRight(grants, caller, role, parseKeygroupName(param("keygroup")), needed);
}

function opOf(operation: unknown): unknown {
  return (operation as { op?: unknown } | null)?.op;
}
