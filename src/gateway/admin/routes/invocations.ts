import * as z from "zod";

import { parseFunctionName, parseInvocationId } from "../../../core/ids.js";
import { integerField } from "../../../input/fields.js";
import type { AdminDeps } from "../deps.js";
import { json, noContent } from "../responses.js";
import { route, type AdminRoute } from "../route.js";
import { invocationSchema, invocationStateSchema } from "../schemas.js";
import { showInvocation } from "../views.js";

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 10_000;

const oneInvocation = (description: string) =>
  ({ description, contentType: "application/json", schema: invocationSchema }) as const;

/** Asynchronous invocations and dead letters. */
export function invocationRoutes({ invocations }: AdminDeps): AdminRoute[] {
  return [
    route({
      method: "GET",
      path: "/v1/invocations",
      id: "listInvocations",
      access: "read",
      tag: "invocations",
      summary: "Asynchronous invocations",
      query: z.strictObject({
        function: z.string().optional(),
        state: invocationStateSchema.optional(),
        limit: integerField(1, LIMIT_MAX).optional(),
      }),
      responses: {
        200: {
          description: "Those that match",
          contentType: "application/json",
          schema: z.strictObject({ invocations: z.array(invocationSchema) }),
        },
      },
      handle: ({ query }) => {
        const found = invocations.list({
          ...(query.function === undefined ? {} : { function: parseFunctionName(query.function) }),
          ...(query.state === undefined ? {} : { state: query.state }),
          limit: query.limit ?? LIMIT_DEFAULT,
        });
        return json({ invocations: found.map(showInvocation) });
      },
    }),
    route({
      method: "GET",
      path: "/v1/invocations/{id}",
      id: "getInvocation",
      access: "read",
      tag: "invocations",
      summary: "One asynchronous invocation",
      responses: { 200: oneInvocation("The invocation") },
      handle: (call) => json(showInvocation(invocations.show(parseInvocationId(call.param("id"))))),
    }),
    route({
      method: "DELETE",
      path: "/v1/invocations/{id}",
      id: "forgetInvocation",
      access: "deploy",
      tag: "invocations",
      summary: "Forget a dead letter",
      responses: { 204: { description: "It is gone" } },
      handle: async (call) => {
        await invocations.forget(parseInvocationId(call.param("id")));
        return noContent();
      },
    }),
    route({
      method: "POST",
      path: "/v1/invocations/{id}/replay",
      id: "replayInvocation",
      access: "deploy",
      tag: "invocations",
      summary: "Queue a dead letter again",
      responses: { 202: oneInvocation("It is queued") },
      handle: async (call) =>
        json(showInvocation(await invocations.replay(parseInvocationId(call.param("id")))), 202),
    }),
  ];
}
