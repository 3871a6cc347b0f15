import * as z from "zod";

import type { Deploy } from "../cluster/function-changes.js";
import type { RevisionRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import { configText } from "../functions/config-equality.js";
import { type Revision, type RevisionOrigin, RUNTIMES } from "../functions/types.js";

/** A revision of a function of several nodes. */
export type ClusterRevision = Revision & { readonly origin: RevisionOrigin };

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();

/** What stands in a revision's record beside its source: how it runs, and what its first build gave. */
const codeSchema = z.object({
  function: z.object({
    env: z.record(z.string(), z.string()),
    timeoutMs: count,
    memoryBytes: count,
    cpus: z.number().nonnegative(),
    maxInstances: count,
    concurrency: count.optional(),
    isolation: z.enum(["process", "sandbox"]),
    network: z.enum(["none", "host"]),
    access: z.enum(["public", "token"]).optional(),
    remoteWrites: z.enum(["awaited", "pipelined"]).optional(),
    application: z.string().optional(),
    triggers: z
      .array(z.object({ on: z.string(), at: z.enum(["origin", "every", "one"]) }))
      .optional(),
    /** Sealed. */
    secrets: z.record(z.string(), z.string()).optional(),
  }),
  allowBuild: z.boolean(),
  build: z.object({
    artefact: hash,
    archive: hash.optional(),
    sizeBytes: count,
    entry: z.string().min(1),
    hasDeps: z.boolean(),
    for: z.object({
      platform: z.string().optional(),
      nodeAbi: z.string().optional(),
      python: z.string().optional(),
    }),
  }),
});

/** What the directory is told of a revision that was built here. */
export function toDeploy(revision: ClusterRevision): Omit<Deploy, "deployedOn"> {
  const { origin, artefact, artefactSizeBytes: sizeBytes, entry, hasDeps } = revision;
  const { archive, builtFor = {} } = revision;
  const build = { artefact, archive, sizeBytes, entry, hasDeps, for: builtFor };
  const code = { function: revision.config, allowBuild: origin.allowBuild, build };
  return {
    deploy: origin.deploy,
    source: origin.source,
    runtime: revision.runtime,
    config: code,
    deployedAtMs: revision.createdAtMs,
  };
}

/**
 * A revision as the node that it was deployed on has built it.
 * @throws EnokiError `ENOKI_NAMING_RECORD` if a newer version wrote what this one cannot read
 */
export function fromRecord(record: RevisionRecord): ClusterRevision {
  const code = codeSchema.safeParse(record.config);
  const runtime = RUNTIMES.find((known) => known === record.runtime);
  const source = hash.safeParse(record.source);
  if (!code.success || !source.success || runtime === undefined) {
    const detail = `revision ${record.number}: this version of Enoki cannot read it`;
    throw new EnokiError("ENOKI_NAMING_RECORD", detail);
  }
  const { build, allowBuild } = code.data;
  const { concurrency, access, remoteWrites, application, triggers, secrets, ...config } =
    code.data.function;
  return {
    number: record.number,
    runtime,
    entry: build.entry,
    artefact: build.artefact,
    artefactSizeBytes: build.sizeBytes,
    hasDeps: build.hasDeps,
    archive: build.archive,
    config: {
      ...config,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(access === undefined ? {} : { access }),
      ...(remoteWrites === undefined ? {} : { remoteWrites }),
      ...(application === undefined ? {} : { application }),
      ...(triggers === undefined ? {} : { triggers }),
      ...(secrets === undefined ? {} : { secrets }),
    },
    createdAtMs: record.deployedAtMs,
    builtFor: build.for,
    origin: { deploy: record.deploy, source: source.data, allowBuild },
  };
}

/** Like {@link fromRecord}, for those who can do without. */
export function tryFromRecord(record: RevisionRecord | undefined): ClusterRevision | undefined {
  try {
    return record && fromRecord(record);
  } catch {
    return undefined;
  }
}

/** True if two revisions are the same code and configuration, wherever they were built. */
export function isSameCode(left: ClusterRevision, right: ClusterRevision): boolean {
  const essence = ({ origin, runtime, config }: ClusterRevision): string =>
    JSON.stringify([origin.source, origin.allowBuild, runtime, configText(config)]);
  return essence(left) === essence(right);
}
