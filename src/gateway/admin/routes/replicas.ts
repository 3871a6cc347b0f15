import * as z from "zod";

import { EnokiError } from "../../../core/errors.js";
import { parseKeygroupName, parseNodeName, type KeygroupName } from "../../../core/ids.js";
import { flagField, timerField } from "../../../input/fields.js";
import { parsePlacement } from "../../../input/placement.js";
import type { ReplicasFacade } from "../../../keygroups/replicas-facade.js";
import { readJson } from "../body.js";
import type { AdminDeps } from "../deps.js";
import { json } from "../responses.js";
import { route, type AdminCall, type AdminRoute } from "../route.js";
import {
  LEAVE_MS,
  moveSchema,
  newReplicaSchema,
  placesSchema,
  refoundSchema,
  removedReplicaSchema,
} from "../replica-schemas.js";
import { showPlaces } from "../views.js";

const places = (description: string) =>
  ({ description, contentType: "application/json", schema: placesSchema }) as const;

/** Which nodes hold a keygroup, and how that changes: from any node of the cluster. */
export function replicaRoutes(deps: AdminDeps): AdminRoute[] {
  return [showRoute(deps), addRoute(deps), removeRoute(deps), moveRoute(deps), refoundRoute(deps)];
}

function named(call: AdminCall<unknown>): KeygroupName {
  return parseKeygroupName(call.param("keygroup"));
}

/** @throws EnokiError `ENOKI_UNSUPPORTED` on a node that is alone */
function required({ replicas }: AdminDeps): ReplicasFacade {
  if (replicas) return replicas;
  const detail = "this node is alone: start it with --naming, or several with --nodes";
  throw new EnokiError("ENOKI_UNSUPPORTED", detail);
}

function showRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "GET",
    path: "/v1/keygroups/{keygroup}/replicas",
    id: "listReplicas",
    access: "read",
    right: "read",
    tag: "keygroups",
    summary: "Where the data of a keygroup lie, and how its replicas are",
    responses: { 200: places("Its replicas") },
    handle: async (call) => json(showPlaces(await required(deps).show(named(call)))),
  });
}

function addRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "PUT",
    path: "/v1/keygroups/{keygroup}/replicas/{node}",
    id: "addReplica",
    access: "admin",
    right: "replicas",
    tag: "keygroups",
    summary: "Add a replica on a node, which catches up and serves then",
    requestBody: {
      description: "How it differs from the others; may be empty",
      contentType: "application/json",
      schema: newReplicaSchema,
    },
    responses: { 200: places("The replicas as they are now") },
    handle: async (call) => {
      const { durability } = await readJson(call.request, newReplicaSchema);
      const node = parseNodeName(call.param("node"));
      return json(showPlaces(await required(deps).add(named(call), node, durability)));
    },
  });
}

function removeRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "DELETE",
    path: "/v1/keygroups/{keygroup}/replicas/{node}",
    id: "removeReplica",
    access: "admin",
    right: "replicas",
    tag: "keygroups",
    summary: "Take a replica away once another one has everything, or with force=true at once",
    query: z.strictObject({ force: flagField.optional(), wait: timerField.optional() }),
    responses: {
      200: {
        description: "It is no replica any more",
        contentType: "application/json",
        schema: removedReplicaSchema,
      },
    },
    handle: async (call) => {
      const { force: isForced = false, wait: withinMs = LEAVE_MS } = call.query;
      const node = parseNodeName(call.param("node"));
      const removed = await required(deps).remove(named(call), node, { isForced, withinMs });
      return json({ ...showPlaces(removed.places), lost: removed.lost ?? null });
    },
  });
}

function moveRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "POST",
    path: "/v1/keygroups/{keygroup}/move",
    id: "moveKeygroup",
    access: "admin",
    right: "replicas",
    tag: "keygroups",
    summary:
      "Place the data on one node, or on all that run the function, while everything goes on",
    requestBody: {
      description: "Where the data are to lie",
      contentType: "application/json",
      schema: moveSchema,
    },
    responses: { 200: places("It is decided; replicas come and go as they can") },
    handle: async (call) => {
      const { data } = await readJson(call.request, moveSchema);
      return json(showPlaces(await required(deps).move(named(call), parsePlacement(data))));
    },
  });
}

function refoundRoute(deps: AdminDeps): AdminRoute {
  return route({
    method: "POST",
    path: "/v1/keygroups/{keygroup}/refound",
    id: "refoundKeygroup",
    access: "admin",
    right: "admin",
    tag: "keygroups",
    summary: "Begin anew and empty on a node, after all disks with the data were lost",
    requestBody: {
      description: "Which node; force drops what a replica still serves",
      contentType: "application/json",
      schema: refoundSchema,
    },
    responses: { 200: places("The node has founded it anew") },
    handle: async (call) => {
      const said = await readJson(call.request, refoundSchema);
      const node = parseNodeName(said.node);
      const how = { isForced: said.force ?? false };
      return json(showPlaces(await required(deps).refound(named(call), node, how)));
    },
  });
}
