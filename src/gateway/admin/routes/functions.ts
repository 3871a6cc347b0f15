import * as z from "zod";

import { parseFunctionName, parseNodeName } from "../../../core/ids.js";
import { flagField, integerField, timerField } from "../../../input/fields.js";
import { parsePlacement } from "../../../input/placement.js";
import { readJson } from "../body.js";
import { parseTargets } from "../deploy-targets.js";
import { readDeployForm } from "../deploy-form.js";
import type { AdminDeps } from "../deps.js";
import { LEAVE_MS, placementField, undeployedSchema } from "../replica-schemas.js";
import { json, noContent } from "../responses.js";
import { route, type AdminRoute } from "../route.js";
import { functionConfigSchema, functionSchema, logLineSchema, revisionSchema } from "../schemas.js";
import { secretChangesSchema } from "../secret-schemas.js";
import { presentSecrets, sealChanges } from "../secret-values.js";
import { eventStream, lineStream, NDJSON } from "../streams.js";
import { requireTriggerRights } from "../trigger-rights.js";
import { showKnown } from "../shown-function.js";
import { showLogLine, showRevisions } from "../views.js";

const LOG_TAIL_DEFAULT = 1000;
const LOG_TAIL_MAX = 1_000_000;

const rollbackSchema = z.strictObject({ revision: z.int().min(1).optional() });

/** Functions, their revisions and logs. */
export function functionRoutes(deps: AdminDeps): AdminRoute[] {
  return [...inventoryRoutes(deps), ...changeRoutes(deps), logRoute(deps)];
}

function inventoryRoutes(deps: AdminDeps): AdminRoute[] {
  const { functions } = deps;
  return [
    route({
      method: "GET",
      path: "/v1/functions",
      id: "listFunctions",
      access: "read",
      tag: "functions",
      summary: "All functions of this node",
      responses: {
        200: {
          description: "All functions",
          contentType: "application/json",
          schema: z.strictObject({ functions: z.array(functionSchema) }),
        },
      },
      handle: () => json({ functions: functions.list().map((record) => showKnown(deps, record)) }),
    }),
    route({
      method: "GET",
      path: "/v1/functions/{name}",
      id: "getFunction",
      access: "read",
      tag: "functions",
      summary: "One function",
      responses: {
        200: {
          description: "The function",
          contentType: "application/json",
          schema: functionSchema,
        },
      },
      handle: (call) =>
        json(showKnown(deps, functions.describe(parseFunctionName(call.param("name"))))),
    }),
    route({
      method: "GET",
      path: "/v1/functions/{name}/revisions",
      id: "listRevisions",
      access: "read",
      tag: "functions",
      summary: "The revisions of a function, newest first",
      responses: {
        200: {
          description: "All revisions that are kept",
          contentType: "application/json",
          schema: z.strictObject({ revisions: z.array(revisionSchema) }),
        },
      },
      handle: (call) => {
        const record = functions.describe(parseFunctionName(call.param("name")));
        return json({ revisions: showRevisions(record) });
      },
    }),
  ];
}

function changeRoutes(deps: AdminDeps): AdminRoute[] {
  const { functions } = deps;
  return [
    route({
      method: "PUT",
      path: "/v1/functions/{name}",
      id: "deployFunction",
      access: "deploy",
      tag: "functions",
      summary: "Deploy a function or a new revision of it",
      query: z.strictObject({
        to: z
          .string()
          .optional()
          .describe("Nodes, NAME=VALUE of their labels, or all; with commas"),
        data: placementField.optional(),
      }),
      requestBody: {
        description: "The code as a zip, and how it is to run",
        contentType: "multipart/form-data",
        schema: z.strictObject({
          archive: z.string().meta({ format: "binary", description: "A zip" }),
          config: functionConfigSchema.optional(),
          secrets: secretChangesSchema.optional(),
        }),
      },
      responses: {
        200: {
          description: "The new revision serves",
          contentType: "application/json",
          schema: functionSchema,
        },
        201: {
          description: "The new function serves",
          contentType: "application/json",
          schema: functionSchema,
        },
      },
      handle: async (call) => {
        const name = parseFunctionName(call.param("name"));
        const targets = parseTargets(call.query.to);
        const { data } = call.query;
        const placement = data === undefined ? undefined : parsePlacement(data);
        const { request, secrets: values } = await readDeployForm(call.request, name);
        requireTriggerRights(deps.grants, name, request.config.triggers ?? []);
        const secrets = await sealChanges(deps, name, values, presentSecrets(deps, name));
        const { record, isNew } = await functions.deploy({
          ...request,
          secrets,
          targets,
          placement,
        });
        return json(showKnown(deps, record), isNew ? 201 : 200);
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/functions/{name}",
      id: "deleteFunction",
      access: "deploy",
      tag: "functions",
      summary: "Remove a function; its keygroup stays unless data=delete",
      query: z.strictObject({ data: z.literal("delete").optional() }),
      responses: { 204: { description: "It is gone" } },
      handle: async (call) => {
        const name = parseFunctionName(call.param("name"));
        await functions.remove(name, { deleteData: call.query.data === "delete" });
        return noContent();
      },
    }),
    undeployRoute(deps),
    route({
      method: "POST",
      path: "/v1/functions/{name}/rollback",
      id: "rollbackFunction",
      access: "deploy",
      tag: "functions",
      summary: "Serve an earlier revision again; without a number the previous one",
      requestBody: {
        description: "Which revision; may be empty",
        contentType: "application/json",
        schema: rollbackSchema,
      },
      responses: {
        200: {
          description: "That revision serves",
          contentType: "application/json",
          schema: functionSchema,
        },
      },
      handle: async (call) => {
        const name = parseFunctionName(call.param("name"));
        const { revision } = await readJson(call.request, rollbackSchema);
        return json(showKnown(deps, await functions.rollback(name, revision)));
      },
    }),
  ];
}

function undeployRoute({ functions }: AdminDeps): AdminRoute {
  return route({
    method: "DELETE",
    path: "/v1/functions/{name}/nodes/{node}",
    id: "undeployFunction",
    access: "deploy",
    tag: "functions",
    summary: "Take a function off one node, with its replica there unless data=keep",
    query: z.strictObject({
      force: flagField.optional(),
      wait: timerField.optional(),
      data: z.literal("keep").optional(),
    }),
    responses: {
      200: {
        description: "It runs there no more",
        contentType: "application/json",
        schema: undeployedSchema,
      },
    },
    handle: async (call) => {
      const { force: isForced = false, wait: withinMs = LEAVE_MS, data } = call.query;
      const name = parseFunctionName(call.param("name"));
      const node = parseNodeName(call.param("node"));
      const how = { isForced, withinMs, keepsData: data === "keep" };
      const lost = await functions.removeFrom(name, node, how);
      return json({ name, node, lost: lost ?? null });
    },
  });
}

function logRoute({ functions, draining, logger }: AdminDeps): AdminRoute {
  return route({
    method: "GET",
    path: "/v1/functions/{name}/logs",
    id: "readLogs",
    isEndless: true,
    access: "read",
    tag: "functions",
    summary: "The last lines of a function's log; with follow=true also those to come",
    query: z.strictObject({
      tail: integerField(0, LOG_TAIL_MAX).optional(),
      follow: flagField.optional(),
    }),
    responses: {
      200: { description: "A line per line", contentType: NDJSON, schema: logLineSchema },
    },
    handle: (call) => {
      const { name } = functions.describe(parseFunctionName(call.param("name")));
      const lines = functions.logs(name, call.query.tail ?? LOG_TAIL_DEFAULT).map(showLogLine);
      if (call.query.follow !== true || !call.wantsBody) {
        return lineStream(
          lines.map((line) => JSON.stringify(line)),
          NDJSON,
          logger,
        );
      }
      // why: no line is lost in between, because the tail and the subscription are of one turn.
      return eventStream([call.request.signal, draining], lines, (send) =>
        functions.followLogs(name, (line) => send(showLogLine(line))),
      );
    },
  });
}
