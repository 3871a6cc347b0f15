import { Hono } from "hono";

import { ANYBODY, requireRole, type Caller } from "../../access/access.js";
import { EnokiError } from "../../core/errors.js";
import { parseKeygroupName } from "../../core/ids.js";
import type { Logger } from "../../ports/logger.js";
import { refuseForeignPages } from "../foreign-pages.js";
import { whileAllowed } from "./allowed-stream.js";
import type { AdminDeps } from "./deps.js";
import { describeApi, OPENAPI_PATH } from "./openapi.js";
import { json, problem } from "./responses.js";
import { requireRight } from "./keygroup-rights.js";
import { matchesTemplate, pathParams, route, splitUrl, type AdminRoute } from "./route.js";
import { functionRoutes } from "./routes/functions.js";
import { grantRoutes } from "./routes/grants.js";
import { invocationRoutes } from "./routes/invocations.js";
import { itemRoutes } from "./routes/items.js";
import { keygroupRoutes } from "./routes/keygroups.js";
import { keyRoutes } from "./routes/keys.js";
import { nodeRoutes } from "./routes/node.js";
import { operationRoutes } from "./routes/operations.js";
import { replicaRoutes } from "./routes/replicas.js";
import { secretRoutes } from "./routes/secrets.js";
import { tokenRoutes } from "./routes/tokens.js";
import { tinyfaasRoutes } from "./tinyfaas.js";

/** The admin port; each request that needs a token has its bearer. */
export type AdminApp = Hono<{ Variables: { caller?: Caller } }>;

/** The table that the router and the OpenAPI document are both made from. */
export function adminRoutes(deps: AdminDeps): AdminRoute[] {
  const routes: AdminRoute[] = [
    ...nodeRoutes(deps),
    ...functionRoutes(deps),
    ...secretRoutes(deps),
    ...invocationRoutes(deps),
    ...keygroupRoutes(deps),
    ...replicaRoutes(deps),
    ...grantRoutes(deps),
    ...dataRoutes(deps),
    ...tokenRoutes(deps),
    ...tinyfaasRoutes(deps),
  ];
  let description: unknown;
  routes.push(
    route({
      method: "GET",
      path: OPENAPI_PATH,
      id: "describeApi",
      access: "any",
      tag: "node",
      summary: "This API as OpenAPI 3.1",
      responses: { 200: { description: "The document", contentType: "application/json" } },
      handle: () => json((description ??= describeApi(routes, deps.node().version))),
    }),
  );
  return routes;
}

/** What reads and writes the data of keygroups. */
function dataRoutes(deps: AdminDeps): AdminRoute[] {
  return [...keyRoutes(deps), ...operationRoutes(deps), ...itemRoutes(deps)];
}

/** Builds the admin port as a function from requests to responses; who listens is not its matter. */
export function createAdminApp(deps: AdminDeps): AdminApp {
  return createApp(deps, adminRoutes(deps));
}

/**
 * What of the admin port other nodes may ask for, which need no token: data, from this node alone.
 * Nothing else is routed, whatever they write into a path.
 */
export function createDataApp(deps: AdminDeps): AdminApp {
  const alone = { ...deps, access: undefined, forwarding: undefined };
  return createApp(alone, dataRoutes(alone));
}

function createApp(deps: AdminDeps, routes: readonly AdminRoute[]): AdminApp {
  const { access } = deps;
  const openPaths = new Set(routes.filter((row) => row.access === "open").map((row) => row.path));
  // why: hono would decode the path in its own lenient way; we route and decode what was sent.
  const app: AdminApp = new Hono({ getPath: (request) => splitUrl(request.url).path });

  app.use("*", async (context, next) => {
    if (!openPaths.has(splitUrl(context.req.raw.url).path)) {
      if (access?.isOpen) refuseForeignPages(context.req.raw.headers);
      context.set("caller", access ? bearerOf(access, context.req.raw) : ANYBODY);
    }
    await next();
    context.res.headers.set("X-Content-Type-Options", "nosniff");
  });
  for (const row of routes) {
    app.on(row.method, honoPath(row.path), async ({ req, var: { caller = ANYBODY } }) => {
      requireAccess(deps, row, caller, req.raw);
      try {
        const response = await row.answer(req.raw, caller);
        return row.isEndless && access
          ? whileAllowed(response, () =>
              requireAccess(deps, row, bearerOf(access, req.raw), req.raw),
            )
          : response;
      } catch (error) {
        if (!row.onError) throw error;
        logBug(deps.logger, error);
        return row.onError(error);
      }
    });
  }
  app.notFound(({ req }) => answerUnknown(routes, req.raw));
  app.onError((error) => {
    logBug(deps.logger, error);
    return problem(error);
  });
  return app;
}

/** Who asks. @throws EnokiError `ENOKI_UNAUTHORIZED` */
function bearerOf(access: NonNullable<AdminDeps["access"]>, { headers }: Request): Caller {
  return access.admit(headers.get("authorization") ?? undefined);
}

/** @throws EnokiError `ENOKI_FORBIDDEN` for whoever has neither the role nor the right of a route */
function requireAccess(
  { grants }: AdminDeps,
  { access, right, path: template }: AdminRoute,
  caller: Caller,
  request: Request,
): void {
  if (access === "open" || access === "any") return;
  const keygroup = right && pathParams(template, splitUrl(request.url).path).get("keygroup");
  if (keygroup === undefined || right === undefined) requireRole(caller, access);
  else requireRight(grants, caller, access, parseKeygroupName(keygroup), [right]);
}

/** `{name}` as hono writes it. */
export function honoPath(template: string): string {
  return template.replaceAll(/\{(\w+)\}/g, ":$1");
}

/** Answers a request that no row takes. */
function answerUnknown(routes: readonly AdminRoute[], request: Request): Response {
  const { path } = splitUrl(request.url);
  const rows = routes.filter((row) => matchesTemplate(row.path, path));
  const own = rows.find((row) => row.onWrongMethod)?.onWrongMethod?.();
  if (own) return own;
  if (rows.length > 0) {
    const allow = rows.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    return problem(
      new EnokiError("ENOKI_METHOD_NOT_ALLOWED", `${path} takes ${allow.join(", ")}`, { allow }),
    );
  }
  if (/^\/v1\/keygroups\/[^/]+\/keys\/$/.test(path)) {
    // why: URLs have no way to say "", "." or ".."; clients turn all of them into this path.
    const detail = "a key is never empty; the keys . and .. go through …/operations";
    return problem(new EnokiError("ENOKI_INVALID_KEY", detail));
  }
  return problem(new EnokiError("ENOKI_NOT_FOUND", `there is no ${path}`));
}

function logBug(logger: Logger, error: unknown): void {
  if (error instanceof EnokiError && error.code !== "ENOKI_INTERNAL") return;
  const stack = error instanceof Error ? (error.stack ?? String(error)) : String(error);
  logger.error({ error: stack }, "an admin request failed");
}
