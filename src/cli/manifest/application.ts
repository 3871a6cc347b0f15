import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";

import { packFolder } from "../../archive/pack.js";
import type { Client } from "../../client/client.js";
import type {
  FunctionInfo,
  GrantInfo,
  SecretChanges,
  SecretComparison,
} from "../../client/types.js";
import { EnokiError } from "../../core/errors.js";
import { sendArchive } from "../deploying.js";
import type { Io } from "../io.js";
import { requireReady, waitForNodes } from "../node-rows.js";
import { parseManifest, type Manifest } from "./manifest.js";
import {
  makePlan,
  type ClusterState,
  type KnownKeygroup,
  type PackedFunction,
  type PlannedChange,
} from "./plan.js";
import { findSecrets } from "./secret-sources.js";

/** How the fields of secrets begin in a plan. */
const SECRET_FIELD = "secrets.";

/** An application with the archives of its functions. */
export interface Application {
  readonly manifest: Manifest;
  readonly functions: readonly PackedFunction[];
  readonly archives: ReadonlyMap<string, Buffer>;
}

/**
 * Reads a manifest and packs its functions.
 * @throws EnokiError `ENOKI_INVALID_MANIFEST`, and what packing throws
 */
export async function readApplication(
  path: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Application> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new EnokiError("ENOKI_INVALID_MANIFEST", `cannot read ${path}: ${error.code}`);
  });
  const folder = dirname(resolve(path));
  const manifest = await parseManifest(text, { file: basename(path), folder });
  const archives = new Map<string, Buffer>();
  const functions: PackedFunction[] = [];
  for (const wanted of manifest.functions) {
    const archive = await packFolder(wanted.path);
    const archiveHash = createHash("sha256").update(archive).digest("hex");
    archives.set(wanted.name, archive);
    const secrets = await findSecrets(wanted.secretSources, env);
    functions.push({ ...wanted, archiveHash, secrets });
  }
  return { manifest, functions, archives };
}

/** Compares an application with what the cluster has. @throws EnokiError `ENOKI_APPLICATION_CONFLICT` */
export async function planApplication(
  client: Client,
  { manifest, functions }: Application,
  options: { readonly prunes: boolean },
): Promise<PlannedChange[]> {
  const [known, here, nodes] = await Promise.all([
    client.functions.list(),
    client.keygroups.list(),
    client.nodes(),
  ]);
  const keygroups: KnownKeygroup[] = [...here];
  const grants = new Map<string, readonly GrantInfo[]>();
  for (const { name } of manifest.keygroups) {
    const elsewhere = here.some((one) => one.name === name)
      ? []
      : await findElsewhere(client, name);
    keygroups.push(...elsewhere);
    const isThere = keygroups.some((one) => one.name === name);
    if (isThere) grants.set(name, await client.keygroups.grants(name));
  }
  const secrets = new Map<string, Readonly<Record<string, SecretComparison>>>();
  for (const { name, secrets: found } of functions) {
    const values = valuesOf(found);
    const isAsked = known.some((info) => info.name === name) && Object.keys(values).length > 0;
    if (isAsked) secrets.set(name, await client.secrets.compare(name, values));
  }
  const placements = new Map<string, string>();
  for (const { name, data } of functions) {
    const isPlaced = known.some((info) => info.name === name && info.nodes !== undefined);
    if (data !== undefined && isPlaced) {
      placements.set(name, (await client.keygroups.replicas(name)).data);
    }
  }
  const state: ClusterState = { functions: known, keygroups, grants, secrets, nodes, placements };
  return makePlan(manifest, functions, state, options);
}

/** Does what a plan says, in its order; the first failure ends it, and what was done stays. */
export async function applyPlan(
  client: Client,
  io: Io,
  application: Application,
  plan: readonly PlannedChange[],
  wait: string | undefined,
): Promise<void> {
  for (const change of plan) {
    if (change.action === "none" || change.action === "leave") continue;
    if (change.kind === "keygroup") await applyKeygroup(client, application, change);
    else if (change.kind === "grant") await applyGrant(client, application, change);
    else if (change.action === "remove") await client.functions.remove(change.name);
    else await applyFunction(client, io, application, change, wait);
  }
}

async function applyKeygroup(
  client: Client,
  { manifest }: Application,
  { name, action }: PlannedChange,
): Promise<void> {
  const settings = manifest.keygroups.find((keygroup) => keygroup.name === name)?.settings ?? {};
  if (action === "create") await client.keygroups.create(name, settings);
  else await client.keygroups.configure(name, settings);
}

async function applyGrant(
  client: Client,
  { manifest }: Application,
  { name, to = "", action }: PlannedChange,
): Promise<void> {
  const { grants = [] } = manifest.keygroups.find((keygroup) => keygroup.name === name) ?? {};
  const wanted = grants.find((grant) => grant.to === to);
  if (action === "remove" || !wanted) await client.keygroups.revoke(name, to);
  else await client.keygroups.grant(name, to, wanted.rights);
}

async function applyFunction(
  client: Client,
  io: Io,
  { functions, archives }: Application,
  { name, action, fields }: PlannedChange,
  wait: string | undefined,
): Promise<void> {
  const wanted = functions.find((one) => one.name === name) as PackedFunction;
  const isNew = action === "create";
  if (isNew || fields.some(({ field }) => field !== "data")) {
    const known = isNew ? undefined : await client.functions.get(name);
    const deployed = await sendArchive(client, io, {
      name,
      archive: archives.get(name) as Buffer,
      config: wanted.config,
      wait,
      to: targetsOf(wanted, known),
      data: isNew ? wanted.data : undefined,
      secrets: secretsOf(wanted, isNew, fields),
    });
    requireReady(await waitForNodes(client, io, deployed, wait));
  }
  const data = fields.find(({ field }) => field === "data")?.to;
  if (!isNew && data) await client.keygroups.move(name, data);
}

/** Where it is to run; a function that is somewhere stays there unless the manifest says more. */
function targetsOf({ nodes }: PackedFunction, known: FunctionInfo | undefined): string | undefined {
  if (nodes.length > 0) return nodes.join(",");
  const now = known?.nodes?.map(({ node }) => node) ?? [];
  return now.length === 0 ? undefined : now.join(",");
}

/** The secrets that a deploy changes: of a new function all of them. */
function secretsOf(
  { secrets }: PackedFunction,
  isNew: boolean,
  fields: PlannedChange["fields"],
): SecretChanges {
  const values = valuesOf(secrets);
  if (isNew) return values;
  const changes = fields.flatMap(({ field, to }): [string, string | null][] => {
    if (!field.startsWith(SECRET_FIELD)) return [];
    const name = field.slice(SECRET_FIELD.length);
    return [[name, to === null ? null : (values[name] as string)]];
  });
  return Object.fromEntries(changes);
}

function valuesOf(secrets: PackedFunction["secrets"]): Record<string, string> {
  return Object.fromEntries(
    [...secrets].flatMap(([name, found]) => ("value" in found ? [[name, found.value]] : [])),
  ) as Record<string, string>;
}

/** A keygroup that the node that is asked has no part in; none if there is none. */
async function findElsewhere(client: Client, name: string): Promise<KnownKeygroup[]> {
  try {
    const { policy, ttl, replicas } = await client.keygroups.replicas(name);
    return [{ name, policy, ttl, durability: replicas[0]?.durability ?? "relaxed" }];
  } catch (error) {
    const code = error instanceof EnokiError ? error.code : undefined;
    // A node that stands alone knows of no replicas, and has shown all keygroups already.
    if (code === "ENOKI_KEYGROUP_NOT_FOUND" || code === "ENOKI_UNSUPPORTED") return [];
    throw error;
  }
}
