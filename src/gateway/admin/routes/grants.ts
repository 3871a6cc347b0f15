import * as z from "zod";

import type { Grant, Grantee } from "../../../cluster/records.js";
import { EnokiError } from "../../../core/errors.js";
import { parseFunctionName, parseKeygroupName, type KeygroupName } from "../../../core/ids.js";
import { RIGHTS } from "../../../core/rights.js";
import { readJson } from "../body.js";
import type { AdminDeps } from "../deps.js";
import { json } from "../responses.js";
import { route, type AdminCall, type AdminRoute } from "../route.js";
import { grantSchema } from "../schemas.js";
import { showGrants } from "../views.js";

const newGrantSchema = z
  .strictObject({ to: z.string(), rights: z.array(z.enum(RIGHTS)).min(1) })
  .meta({ id: "NewGrant" });

const grants = (description: string) =>
  ({
    description,
    contentType: "application/json",
    schema: z.strictObject({ grants: z.array(grantSchema) }),
  }) as const;

const PATH = "/v1/keygroups/{keygroup}/grants";

/** Who but its function may use a keygroup, from any node of the cluster. */
export function grantRoutes(deps: AdminDeps): AdminRoute[] {
  const show = (all: readonly Grant[]): Response => json({ grants: showGrants(all, deps.tokens) });
  return [
    route({
      method: "GET",
      path: PATH,
      id: "listGrants",
      access: "read",
      right: "admin",
      tag: "keygroups",
      summary: "Who was granted rights on a keygroup",
      responses: { 200: grants("All grants") },
      handle: (call) => show(deps.grants.list(named(call))),
    }),
    route({
      method: "PUT",
      path: PATH,
      id: "grantRights",
      access: "admin",
      right: "admin",
      tag: "keygroups",
      summary: "Give a function or a token exactly these rights, in place of what it had",
      requestBody: {
        description: "To function:NAME, or to token:NAME (or its id)",
        contentType: "application/json",
        schema: newGrantSchema,
      },
      responses: { 200: grants("The grants as they are now") },
      handle: async (call) => {
        const { to, rights } = await readJson(call.request, newGrantSchema);
        const unique = RIGHTS.filter((right) => rights.includes(right));
        return show(await deps.grants.set(named(call), granteeOf(deps, to), unique));
      },
    }),
    route({
      method: "DELETE",
      path: `${PATH}/{to}`,
      id: "revokeRights",
      access: "admin",
      right: "admin",
      tag: "keygroups",
      summary: "Take all rights from a function or a token",
      responses: { 200: grants("The grants as they are now") },
      handle: async (call) => {
        const name = named(call);
        const to = call.param("to");
        return show(await deps.grants.set(name, grantedTo(deps, name, to), []));
      },
    }),
  ];
}

function named(call: AdminCall<unknown>): KeygroupName {
  return parseKeygroupName(call.param("keygroup"));
}

/** @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_INVALID_NAME`, `ENOKI_TOKEN_NOT_FOUND` */
function granteeOf({ tokens }: AdminDeps, to: string): Grantee {
  const [kind, ...rest] = to.split(":");
  const name = rest.join(":");
  if (kind === "function") return { kind, id: parseFunctionName(name) };
  if (kind === "token") return { kind, id: tokens.find(name).id };
  const detail = `to: ${JSON.stringify(to.slice(0, 80))} is neither function:NAME nor token:NAME`;
  throw new EnokiError("ENOKI_INVALID_INPUT", detail, { field: "to" });
}

/** The same for one that may have rights already: also a token that was removed meanwhile, by its id. */
function grantedTo(deps: AdminDeps, name: KeygroupName, to: string): Grantee {
  const known = deps.grants.list(name).find(({ kind, id }) => to === `${kind}:${id}`);
  return known ?? granteeOf(deps, to);
}
