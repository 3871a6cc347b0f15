import * as z from "zod";

import type { TokenRecord } from "../../../cluster/records.js";
import { ROLES } from "../../../core/rights.js";
import { durationField } from "../../../input/fields.js";
import { readJson } from "../body.js";
import type { AdminDeps } from "../deps.js";
import { json, noContent } from "../responses.js";
import { route, type AdminRoute } from "../route.js";
import { isoTime } from "../views.js";

const time = z.iso.datetime();

const tokenSchema = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    role: z.enum(ROLES),
    createdAt: time,
    /** `null` = it does not expire. */
    expiresAt: time.nullable(),
  })
  .meta({ id: "Token" });

const newTokenSchema = z
  .strictObject({
    role: z.enum(ROLES),
    name: z.string().optional(),
    expires: durationField.optional(),
  })
  .meta({ id: "NewToken" });

/** Who may use the node, and for what. */
export function tokenRoutes({ tokens }: AdminDeps): AdminRoute[] {
  return [
    route({
      method: "GET",
      path: "/v1/tokens",
      id: "listTokens",
      access: "admin",
      tag: "tokens",
      summary: "All tokens, without their secrets",
      responses: {
        200: {
          description: "All tokens that were not removed",
          contentType: "application/json",
          schema: z.strictObject({ tokens: z.array(tokenSchema) }),
        },
      },
      handle: () => json({ tokens: tokens.list().map(showToken) }),
    }),
    route({
      method: "POST",
      path: "/v1/tokens",
      id: "createToken",
      access: "admin",
      tag: "tokens",
      summary: "Make a token; its text is in this answer and nowhere else",
      requestBody: {
        description: "What it is good for, and for how long",
        contentType: "application/json",
        schema: newTokenSchema,
      },
      responses: {
        201: {
          description: "The new token",
          contentType: "application/json",
          schema: tokenSchema.extend({ token: z.string() }).meta({ id: "MadeToken" }),
        },
      },
      handle: async (call) => {
        const { role, name, expires } = await readJson(call.request, newTokenSchema);
        const made = await tokens.create({ role, name, validMs: expires });
        return json({ ...showToken(made.token), token: made.text }, 201);
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/tokens/{token}",
      id: "deleteToken",
      access: "admin",
      tag: "tokens",
      summary: "Remove the token of that id or name, on all nodes",
      responses: { 204: { description: "It is good for nothing any more" } },
      handle: async (call) => {
        await tokens.remove(call.param("token"));
        return noContent();
      },
    }),
  ];
}

function showToken(token: TokenRecord): z.input<typeof tokenSchema> {
  const { id, name, role, createdAtMs, expiresAtMs } = token;
  const expiresAt = expiresAtMs === undefined ? null : isoTime(expiresAtMs);
  return { id, name, role, createdAt: isoTime(createdAtMs), expiresAt };
}
