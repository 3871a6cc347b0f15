import * as z from "zod";

import type { Role } from "../../core/rights.js";
import type { AdminRoute, BodyDescription, RouteAccess } from "./route.js";
import { problemSchema } from "./problem-schema.js";

/** JSON that is an object. */
type JsonObject = Record<string, unknown>;

/** Path under which the description itself is served. */
export const OPENAPI_PATH = "/v1/openapi.json";

/** Describes `routes` as an OpenAPI 3.1 document, from the schemas that check the requests. */
export function describeApi(routes: readonly AdminRoute[], version: string): JsonObject {
  const components = new Components();
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method.toLowerCase()] = describeRoute(route, components);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Enoki admin API",
      version,
      description: "Functions, invocations and keygroups of one node.",
    },
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    security: [{ token: [] }, {}],
  };
}

/** Collects the schemas that have a name. */
class Components {
  readonly schemas: JsonObject = {};

  /** JSON Schema of `schema`, with references instead of named schemas. */
  refer(schema: z.ZodType, io: "input" | "output"): unknown {
    // why: zod gives the outermost schema no reference, so an array is put around it.
    const { items, $defs } = z.toJSONSchema(z.array(schema), { io }) as JsonObject;
    for (const [name, definition] of Object.entries(($defs ?? {}) as JsonObject)) {
      const { id: _, ...rest } = definition as JsonObject;
      this.schemas[name] ??= relocate(rest);
    }
    return relocate(items);
  }
}

/** Lets references point to where OpenAPI keeps named schemas. */
function relocate(schema: unknown): unknown {
  return JSON.parse(
    JSON.stringify(schema).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'),
  ) as unknown;
}

function describeRoute(route: AdminRoute, components: Components): JsonObject {
  const responses: JsonObject = {};
  for (const [status, response] of Object.entries(route.responses)) {
    responses[status] = describeResponse(response, components);
  }
  if (!route.onError) {
    responses["default"] = describeResponse(
      {
        description: "What went wrong",
        contentType: "application/problem+json",
        schema: problemSchema,
      },
      components,
    );
  }
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    ...(route.access === "open" ? { security: [] } : {}),
    ...(isRole(route.access) ? { security: [{ token: [route.access] }, {}] } : {}),
    parameters: describeParameters(route, components),
    ...(route.requestBody
      ? { requestBody: describeContent(route.requestBody, "input", components) }
      : {}),
    responses,
  };
}

function isRole(access: RouteAccess): access is Role {
  return access !== "open" && access !== "any";
}

function describeParameters(route: AdminRoute, components: Components): JsonObject[] {
  const string = { type: "string" };
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: string,
  }));
  const inQuery = Object.entries(route.query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: components.refer(schema as z.ZodType, "input"),
  }));
  const inHeader = (route.headers ?? []).map(({ name, description }) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: string,
  }));
  return [...inPath, ...inQuery, ...inHeader];
}

function describeResponse(response: BodyDescription, components: Components): JsonObject {
  const headers = (response.headers ?? []).map((name) => [name, { schema: { type: "string" } }]);
  return {
    ...describeContent(response, "output", components),
    ...(headers.length > 0 ? { headers: Object.fromEntries(headers) as unknown } : {}),
  };
}

function describeContent(
  { description, contentType, schema }: BodyDescription,
  io: "input" | "output",
  components: Components,
): JsonObject {
  if (contentType === undefined) return { description };
  const content = schema ? { schema: components.refer(schema, io) } : {};
  return { description, content: { [contentType]: content } };
}
