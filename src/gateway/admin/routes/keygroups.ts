import * as z from "zod";

import { parseKeygroupName, type KeygroupName } from "../../../core/ids.js";
import { parsePlacement } from "../../../input/placement.js";
import type {
  KeygroupConfig,
  KeygroupDescription,
  KeygroupFacade,
} from "../../../keygroups/types.js";
import { readJson } from "../body.js";
import type { AdminDeps } from "../deps.js";
import { json, noContent } from "../responses.js";
import { route, type AdminCall, type AdminRoute } from "../route.js";
import { keygroupConfigSchema, keygroupSchema, newKeygroupSchema } from "../schemas.js";
import { showGrants, showKeygroup } from "../views.js";

const oneKeygroup = (description: string) =>
  ({ description, contentType: "application/json", schema: keygroupSchema }) as const;

/** The keygroup that the path names. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
function findKeygroup(deps: AdminDeps, call: AdminCall<unknown>): KeygroupFacade {
  return deps.keygroups.find(parseKeygroupName(call.param("keygroup")));
}

/** Keygroups and their settings. */
export function keygroupRoutes(deps: AdminDeps): AdminRoute[] {
  const { keygroups } = deps;
  return [
    route({
      method: "GET",
      path: "/v1/keygroups",
      id: "listKeygroups",
      access: "read",
      tag: "keygroups",
      summary: "All keygroups of this node",
      responses: {
        200: {
          description: "All keygroups",
          contentType: "application/json",
          schema: z.strictObject({ keygroups: z.array(keygroupSchema) }),
        },
      },
      handle: async () => {
        const described = [];
        // One after another: each counts in slices, and only one slice should hold a turn.
        for (const keygroup of keygroups.list()) {
          described.push(showKeygroup(await keygroup.describe()));
        }
        return json({ keygroups: described });
      },
    }),
    route({
      method: "POST",
      path: "/v1/keygroups",
      id: "createKeygroup",
      access: "deploy",
      tag: "keygroups",
      summary: "Create a keygroup",
      requestBody: {
        description: "Its name, and the settings that differ from the defaults",
        contentType: "application/json",
        schema: newKeygroupSchema,
      },
      responses: { 201: oneKeygroup("The new keygroup") },
      handle: async (call) => {
        const said = await readJson(call.request, newKeygroupSchema);
        const name = parseKeygroupName(said.name);
        const placement = said.data === undefined ? undefined : parsePlacement(said.data);
        const config = toKeygroupConfig(said);
        const keygroup = await keygroups.create(name, config, placement);
        const made = keygroup ? await keygroup.describe() : await madeElsewhere(deps, name, config);
        return json(showKeygroup(made), 201);
      },
    }),
    route({
      method: "GET",
      path: "/v1/keygroups/{keygroup}",
      id: "getKeygroup",
      access: "read",
      right: "read",
      tag: "keygroups",
      summary: "One keygroup",
      responses: { 200: oneKeygroup("The keygroup, in a cluster with how it is doing there") },
      handle: async (call) => {
        const keygroup = findKeygroup(deps, call);
        const replication = await deps.overview?.replication(keygroup.name);
        const grants = showGrants(deps.grants.list(keygroup.name), deps.tokens);
        const shown = showKeygroup(await keygroup.describe(), replication);
        return json({ ...shown, ...(grants.length > 0 && { grants }) });
      },
    }),
    route({
      method: "PATCH",
      path: "/v1/keygroups/{keygroup}",
      id: "configureKeygroup",
      access: "admin",
      right: "admin",
      tag: "keygroups",
      summary: "Change settings of a keygroup",
      requestBody: {
        description: "The settings to change",
        contentType: "application/json",
        schema: keygroupConfigSchema,
      },
      responses: { 200: oneKeygroup("The keygroup as it is now") },
      handle: async (call) => {
        const { name } = findKeygroup(deps, call);
        const said = await readJson(call.request, keygroupConfigSchema);
        const keygroup = await keygroups.configure(name, toKeygroupConfig(said));
        return json(showKeygroup(await keygroup.describe()));
      },
    }),
    route({
      method: "DELETE",
      path: "/v1/keygroups/{keygroup}",
      id: "deleteKeygroup",
      access: "admin",
      right: "admin",
      tag: "keygroups",
      summary: "Delete a keygroup with everything in it, unless a function of its name is deployed",
      responses: { 204: { description: "It is gone" } },
      handle: async (call) => {
        await deps.removeKeygroup(findKeygroup(deps, call).name);
        return noContent();
      },
    }),
  ];
}

/** A keygroup that has just been made on other nodes, and is empty. */
async function madeElsewhere(
  { replicas }: AdminDeps,
  name: KeygroupName,
  { policy = "lww", durability, ttlMs = 0 }: Partial<KeygroupConfig>,
): Promise<KeygroupDescription> {
  const places = (await replicas?.show(name))?.replicas ?? [];
  const config = { policy, ttlMs, durability: durability ?? places[0]?.durability ?? "relaxed" };
  const members = places.map(({ node }) => node);
  return { name, config, storage: "elsewhere", keys: 0, sizeBytes: 0, members };
}

function toKeygroupConfig(said: z.output<typeof keygroupConfigSchema>): Partial<KeygroupConfig> {
  return {
    ...(said.policy === undefined ? {} : { policy: said.policy }),
    ...(said.durability === undefined ? {} : { durability: said.durability }),
    ...(said.ttl === undefined ? {} : { ttlMs: said.ttl ?? 0 }),
  };
}
