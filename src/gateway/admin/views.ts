import type { Tokens } from "../../access/tokens.js";
import type { Grant } from "../../cluster/records.js";
import type { z } from "zod";

import { formatDurationMs } from "../../base/duration.js";
import { formatExactSize } from "../../base/size.js";
import { assert } from "../../base/assert.js";
import type { EnokiError } from "../../core/errors.js";
import type { FunctionPlace } from "../../functions/facade.js";
import type {
  FunctionConfig,
  FunctionRecord,
  FunctionStatus,
  InvocationSummary,
  LogLine,
  Revision,
  TriggerSetting,
} from "../../functions/types.js";
import type { KeyReport } from "../../keygroups/overview/key-report.js";
import type {
  MemberReport,
  ReplicationReport,
} from "../../keygroups/overview/replication-report.js";
import type { KeygroupPlaces } from "../../keygroups/replicas-facade.js";
import type { KeygroupDescription } from "../../keygroups/types.js";
import { keyIdOf } from "../../secrets/sealing.js";
import { showCause } from "../../triggers/trigger.js";
import type { placesSchema } from "./replica-schemas.js";
import type * as schemas from "./schemas.js";

/** The last millisecond that a date can hold. */
const TIME_MS_MAX = 8.64e15;

/** Milliseconds since 1970 as ISO 8601. */
export function isoTime(atMs: number): string {
  return new Date(Math.min(atMs, TIME_MS_MAX)).toISOString();
}

/** A function as the API shows it. `functionUrl` is the base of the function port. */
export function showFunction(
  record: FunctionRecord,
  status: FunctionStatus,
  functionUrl: string,
  places?: readonly FunctionPlace[],
  failures?: ReadonlyMap<string, EnokiError>,
): z.input<typeof schemas.functionSchema> {
  const current = record.revisions.find((revision) => revision.number === record.current);
  assert(current !== undefined, "a function serves one of its revisions");
  const { instances, running, queued, invocationsTotal, failuresTotal, coldStartsTotal } = status;
  return {
    name: record.name,
    revision: current.number,
    runtime: current.runtime,
    entry: current.entry,
    url: `${functionUrl}/${record.name}`,
    keygroup: record.name,
    config: showConfig(current.config),
    artefact: current.artefact,
    ...(current.archive === undefined ? {} : { archive: current.archive }),
    createdAt: isoTime(current.createdAtMs),
    status: { instances, running, queued, invocationsTotal, failuresTotal, coldStartsTotal },
    ...(places === undefined ? {} : { nodes: places.map(showPlace) }),
    ...(failures?.size ? { failingTriggers: [...failures].map(showFailure) } : {}),
  };
}

function showFailure([on, { code, message }]: readonly [string, EnokiError]) {
  return { on: showCause(on), code, detail: message };
}

function showPlace({ node, isPresent, state, serving, reason }: FunctionPlace) {
  const revision = serving === 0 ? null : serving;
  return {
    node,
    present: isPresent,
    state,
    revision,
    ...(reason === undefined ? {} : { reason }),
  };
}

function showConfig(config: FunctionConfig): z.input<typeof schemas.functionSchema>["config"] {
  return {
    env: { ...config.env },
    timeout: formatDurationMs(config.timeoutMs),
    memory: formatExactSize(config.memoryBytes),
    cpu: String(config.cpus),
    maxInstances: config.maxInstances,
    ...(config.concurrency === undefined ? {} : { concurrency: config.concurrency }),
    isolation: config.isolation,
    network: config.network,
    ...(config.access === undefined ? {} : { access: config.access }),
    ...(config.remoteWrites === undefined ? {} : { remoteWrites: config.remoteWrites }),
    ...(config.application === undefined ? {} : { application: config.application }),
    ...(config.triggers?.length ? { triggers: config.triggers.map(showTrigger) } : {}),
    ...(config.secrets === undefined ? {} : { secrets: Object.keys(config.secrets) }),
  };
}

function showTrigger({ on, at }: TriggerSetting) {
  return { on: showCause(on), at };
}

/** The secrets of a function: their names, and the keys that they are sealed with. */
export function showSecrets({ secrets = {} }: FunctionConfig) {
  return Object.entries(secrets).map(([name, sealed]) => ({ name, key: keyIdOf(sealed) ?? null }));
}

/** The revisions of a function, newest first. */
export function showRevisions(record: FunctionRecord): z.input<typeof schemas.revisionSchema>[] {
  return record.revisions.toReversed().map((revision) => showRevision(revision, record.current));
}

function showRevision(revision: Revision, current: number): z.input<typeof schemas.revisionSchema> {
  const { number, runtime, entry, artefact, artefactSizeBytes } = revision;
  return {
    number,
    runtime,
    entry,
    artefact,
    artefactSizeBytes,
    config: showConfig(revision.config),
    createdAt: isoTime(revision.createdAtMs),
    current: number === current,
  };
}

/** One line of a log. */
export function showLogLine(line: LogLine): z.input<typeof schemas.logLineSchema> {
  const { atMs, stream, invocation, trace, text } = line;
  const { traceId, spanId } = trace ?? {};
  return {
    at: isoTime(atMs),
    stream,
    invocation: invocation ?? null,
    ...(traceId !== undefined && { traceId, spanId }),
    text,
  };
}

/** An asynchronous invocation. */
export function showInvocation(
  invocation: InvocationSummary,
): z.input<typeof schemas.invocationSchema> {
  const { id, state, tries, createdAtMs, finishedAtMs, status, lastError } = invocation;
  return {
    id,
    function: invocation.function,
    state,
    tries,
    createdAt: isoTime(createdAtMs),
    ...(finishedAtMs === undefined ? {} : { finishedAt: isoTime(finishedAtMs) }),
    ...(status === undefined ? {} : { status }),
    ...(lastError === undefined
      ? {}
      : { lastError: { code: lastError.code, message: lastError.message } }),
  };
}

/** A keygroup, with how it is doing on its members where that was asked for. */
export function showKeygroup(
  description: KeygroupDescription,
  replication?: ReplicationReport,
): z.input<typeof schemas.keygroupSchema> {
  const { name, config, storage, keys, sizeBytes, members } = description;
  return {
    name,
    policy: config.policy,
    durability: config.durability,
    ttl: config.ttlMs === 0 ? null : formatDurationMs(config.ttlMs),
    storage,
    keys,
    sizeBytes,
    members: [...members],
    ...(replication === undefined ? {} : { replication: showReplication(replication) }),
  };
}

/** Where a keygroup's data are to lie, and where they do. */
export function showPlaces({
  name,
  settings: { policy, ttlMs },
  placement,
  replicas,
}: KeygroupPlaces): z.input<typeof placesSchema> {
  const data = placement.kind === "at" ? `at:${placement.node}` : placement.kind;
  const ttl = ttlMs === 0 ? null : formatDurationMs(ttlMs);
  return { name, policy, ttl, data, replicas: replicas.map((replica) => ({ ...replica })) };
}

function showReplication(report: ReplicationReport) {
  return {
    generation: report.generation,
    epoch: report.epoch,
    everywhere: report.isEverywhere,
    unreplicated: report.unreplicated,
    stalenessMs: finiteOrNull(report.stalenessMs),
    updatesApplied: report.updatesAppliedTotal,
    conflictsResolved: report.conflictsTotal,
    members: report.members.map(showMember),
  };
}

function showMember({ node, isHere, isPresent, state, durability, progress, peer }: MemberReport) {
  const since = state === "away" ? peer?.awaySinceMs : undefined;
  return {
    node,
    here: isHere,
    present: isPresent,
    state,
    ...(since === undefined ? {} : { since: isoTime(since) }),
    durability,
    ...(progress === undefined ? {} : { progress }),
    ...(peer === undefined
      ? {}
      : {
          peer: {
            lagUpdates: peer.lagUpdates,
            lagMs: Math.round(peer.lagMs),
            behindUpdates: peer.behindUpdates,
            outboxBytes: peer.outboxBytes,
            stalenessMs: finiteOrNull(peer.stalenessMs),
            updatesApplied: peer.updatesAppliedTotal,
            conflictsResolved: peer.conflictsTotal,
          },
        }),
  };
}

function finiteOrNull(timeMs: number): number | null {
  return Number.isFinite(timeMs) ? Math.round(timeMs) : null;
}

/** Grants as the API shows them; a token that was removed is shown by its id. */
export function showGrants(
  grants: readonly Grant[],
  tokens: Pick<Tokens, "list">,
): z.input<typeof schemas.grantSchema>[] {
  const names = new Map(tokens.list().map(({ id, name }) => [id, name]));
  return grants.map(({ kind, id, rights }) => {
    const name = kind === "token" ? (names.get(id) ?? id) : id;
    return { to: `${kind}:${name}`, rights: [...rights] };
  });
}

/** Where the value of a key came from, and which replicas have it. */
export function showExplanation({
  key,
  versions,
  replicas,
}: KeyReport): z.input<typeof schemas.explanationSchema> {
  return {
    key,
    versions: versions.map(({ version, atMs, node, invocation, type, expiresAtMs }) => ({
      version,
      at: isoTime(atMs),
      node: node ?? null,
      invocation: invocation ?? null,
      type,
      expiresAt: expiresAtMs === 0 ? null : isoTime(expiresAtMs),
    })),
    replicas: replicas.map((replica) => ({ ...replica, versions: [...replica.versions] })),
  };
}
