import * as z from "zod";

import { text, json } from "../responses.js";
import { route, type AdminRoute } from "../route.js";
import { knownNodeSchema, nodeSchema } from "../schemas.js";
import type { AdminDeps } from "../deps.js";

const plain = { contentType: "text/plain" } as const;

/** Health, metrics and what the node tells about itself. */
export function nodeRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    route({
      method: "GET",
      path: "/",
      id: "greet",
      access: "open",
      tag: "node",
      summary: "One line for people",
      responses: { 200: { description: "A line of text", ...plain } },
      handle: () =>
        text("Enoki: this is the admin port; the API is described at /v1/openapi.json\n"),
    }),
    route({
      method: "GET",
      path: "/healthz",
      id: "checkHealth",
      access: "open",
      tag: "node",
      summary: "Is the process alive",
      responses: { 200: { description: "It is", ...plain } },
      handle: () => text("ok\n"),
    }),
    route({
      method: "GET",
      path: "/readyz",
      id: "checkReadiness",
      access: "open",
      tag: "node",
      summary: "Does the node take work",
      responses: {
        200: { description: "It does", ...plain },
        503: { description: "It is starting or draining", ...plain },
      },
      handle: () => (deps.isReady() ? text("ok\n") : text("starting or draining\n", 503)),
    }),
    route({
      method: "GET",
      path: "/metrics",
      id: "getMetrics",
      access: "read",
      tag: "node",
      summary: "All metrics",
      responses: { 200: { description: "Prometheus's text format", ...plain } },
      handle: async () =>
        new Response(await deps.metrics(), {
          headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" },
        }),
    }),
    route({
      method: "GET",
      path: "/v1/node",
      id: "getNode",
      access: "any",
      tag: "node",
      summary: "Name, version, addresses, runtimes, isolation, storage",
      responses: {
        200: { description: "The node", contentType: "application/json", schema: nodeSchema },
      },
      handle: () => json(deps.node()),
    }),
    route({
      method: "GET",
      path: "/v1/nodes",
      id: "listNodes",
      access: "read",
      tag: "node",
      summary: "All nodes of the cluster, as this one knows them",
      responses: {
        200: {
          description: "All nodes",
          contentType: "application/json",
          schema: z.strictObject({ nodes: z.array(knownNodeSchema) }),
        },
      },
      handle: () => json({ nodes: deps.nodes() }),
    }),
  ];
}
