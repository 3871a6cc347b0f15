import * as z from "zod";

import { LIMITS } from "../../core/limits.js";
import { RIGHTS } from "../../core/rights.js";
import {
  applicationField,
  cpusField,
  durationField,
  sizeField,
  timerField,
} from "../../input/fields.js";
import { jsonValueSchema } from "../../keygroups/json-operations.js";
import { placementField } from "./replica-schemas.js";
import { secretNamesSchema } from "./secret-schemas.js";
import { failingTriggerSchema, shownTriggerSchema, triggerSchema } from "./trigger-schemas.js";

/** What a deploy may say about how a function runs. */
export const functionConfigSchema = z
  .strictObject({
    runtime: z.string().optional(),
    env: z
      .record(z.string().regex(/^[^=\0]+$/, "a variable's name has no = in it"), z.string())
      .optional(),
    timeout: timerField.optional(),
    memory: sizeField.optional(),
    cpu: cpusField.optional(),
    maxInstances: z.int().min(1).max(10_000).optional(),
    concurrency: z.int().min(1).max(LIMITS.concurrencyMax).optional(),
    isolation: z.enum(["process", "sandbox"]).optional(),
    network: z.enum(["none", "host"]).optional(),
    access: z.enum(["public", "token"]).optional(),
    remoteWrites: z.enum(["awaited", "pipelined"]).optional(),
    application: applicationField.optional(),
    /** In place of those that it has. */
    triggers: z.array(triggerSchema).optional(),
    allowBuild: z.boolean().optional(),
  })
  .meta({ id: "FunctionConfig" });

/** How a revision runs, everything said. */
const effectiveConfigSchema = z
  .strictObject({
    env: z.record(z.string(), z.string()),
    timeout: z.string(),
    memory: z.string(),
    cpu: z.string(),
    maxInstances: z.int(),
    concurrency: z.int().optional(),
    isolation: z.enum(["process", "sandbox"]),
    network: z.enum(["none", "host"]),
    /** Who may call it; absent = as the node says. */
    access: z.enum(["public", "token"]).optional(),
    /** How long a plain `set` that goes to another node waits; absent = awaited. */
    remoteWrites: z.enum(["awaited", "pipelined"]).optional(),
    /** The application whose manifest it was deployed by. */
    application: z.string().optional(),
    /** What calls it by itself; absent = nothing. */
    triggers: z.array(shownTriggerSchema).optional(),
    secrets: secretNamesSchema.optional(),
  })
  .meta({ id: "EffectiveFunctionConfig" });

const count = z.int().min(0);
const time = z.iso.datetime();

/** How far a function is on one node. */
const functionNodeSchema = z
  .strictObject({
    node: z.string(),
    present: z.boolean(),
    state: z.enum(["pending", "ready", "failed"]),
    /** The revision that serves there; `null` = none. */
    revision: z.int().min(1).nullable(),
    reason: z.string().optional(),
  })
  .meta({ id: "FunctionNode" });

/** A function with its serving revision. */
export const functionSchema = z
  .strictObject({
    name: z.string(),
    revision: z.int().min(1),
    runtime: z.string(),
    entry: z.string(),
    url: z.string(),
    keygroup: z.string(),
    config: effectiveConfigSchema,
    artefact: z.string(),
    /** SHA-256 of the archive that it was deployed from. */
    archive: z.string().optional(),
    createdAt: time,
    status: z.strictObject({
      instances: count,
      running: count,
      queued: count,
      invocationsTotal: count,
      failuresTotal: count,
      coldStartsTotal: count,
    }),
    /** The nodes that are to run it; absent on a node that is alone. */
    nodes: z.array(functionNodeSchema).optional(),
    /** Triggers that cannot call it from this node for now; absent = none. */
    failingTriggers: z.array(failingTriggerSchema).optional(),
  })
  .meta({ id: "Function" });

/** One deployed version. */
export const revisionSchema = z
  .strictObject({
    number: z.int().min(1),
    runtime: z.string(),
    entry: z.string(),
    artefact: z.string(),
    artefactSizeBytes: count,
    config: effectiveConfigSchema,
    createdAt: time,
    current: z.boolean(),
  })
  .meta({ id: "Revision" });

/** One line of a function's log. */
export const logLineSchema = z
  .strictObject({
    at: time,
    stream: z.enum(["stdout", "stderr", "platform"]),
    invocation: z.string().nullable(),
    traceId: z.string().optional().describe("of the trace that the invocation belongs to"),
    spanId: z.string().optional().describe("of the span in it"),
    text: z.string(),
  })
  .meta({ id: "LogLine" });

/** States of an asynchronous invocation. */
export const invocationStateSchema = z.enum(["queued", "running", "done", "dead"]);

/** An asynchronous invocation. */
export const invocationSchema = z
  .strictObject({
    id: z.string(),
    function: z.string(),
    state: invocationStateSchema,
    tries: count,
    createdAt: time,
    finishedAt: time.optional(),
    status: z.int().optional(),
    lastError: z.strictObject({ code: z.string(), message: z.string() }).optional(),
  })
  .meta({ id: "Invocation" });

const policySchema = z.enum(["lww", "siblings", "merge"]);
const durabilitySchema = z.enum(["relaxed", "strict"]);

/** Settings of a keygroup in a request; `ttl: null` = values never expire by themselves. */
export const keygroupConfigSchema = z
  .strictObject({
    policy: policySchema.optional(),
    durability: durabilitySchema.optional(),
    ttl: durationField.nullable().optional(),
  })
  .meta({ id: "KeygroupConfig" });

/** A request for a new keygroup. */
export const newKeygroupSchema = keygroupConfigSchema
  .extend({ name: z.string(), data: placementField.optional() })
  .meta({ id: "NewKeygroup" });

/** One member of a keygroup, as the node that was asked sees it. */
const keygroupMemberSchema = z
  .strictObject({
    node: z.string(),
    here: z.boolean().describe("the node that was asked"),
    present: z.boolean().describe("the naming service has heard of it lately"),
    state: z.enum(["pending", "joining", "serving", "leaving", "away"]),
    since: time.optional().describe("away since then, as far as is known here"),
    durability: durabilitySchema,
    progress: z
      .strictObject({
        from: z.string(),
        items: count,
        sizeBytes: count,
        share: z.number().min(0).max(1),
      })
      .optional()
      .describe("while it joins: what it has got so far"),
    peer: z
      .strictObject({
        lagUpdates: count.describe("commits that it has told of and that are missing here"),
        lagMs: z.number().min(0).describe("since when something of it is missing here"),
        behindUpdates: count.describe("commits here that it has not told of"),
        outboxBytes: count,
        stalenessMs: z.number().min(0).nullable(),
        updatesApplied: count,
        conflictsResolved: count,
      })
      .optional()
      .describe("what is known of it here"),
  })
  .meta({ id: "KeygroupMember" });

/** How a keygroup is doing on all its members, as the node that was asked sees it. */
const keygroupReplicationSchema = z
  .strictObject({
    generation: count,
    epoch: count,
    everywhere: z.boolean().describe("everything is on the disks of all members"),
    unreplicated: count.describe("writes of this node that are on no other disk for certain"),
    stalenessMs: z.number().min(0).nullable().describe("null: nothing is known of a member"),
    updatesApplied: count,
    conflictsResolved: count,
    members: z.array(keygroupMemberSchema),
  })
  .meta({ id: "KeygroupReplication" });

/** The rights of a function or a token on a keygroup. */
export const grantSchema = z
  .strictObject({
    to: z.string().describe("function:NAME or token:NAME"),
    rights: z.array(z.enum(RIGHTS)),
  })
  .meta({ id: "Grant" });

/** A keygroup. */
export const keygroupSchema = z
  .strictObject({
    name: z.string(),
    policy: policySchema,
    durability: durabilitySchema,
    ttl: z.string().nullable(),
    storage: z.string(),
    keys: count,
    sizeBytes: count,
    members: z.array(z.string()),
    grants: z.array(grantSchema).optional().describe("of one keygroup, where there are any"),
    replication: keygroupReplicationSchema
      .optional()
      .describe("of one keygroup, where there are other nodes"),
  })
  .meta({ id: "Keygroup" });

/** A page of keys. */
export const keyPageSchema = z.strictObject({
  items: z.array(z.strictObject({ key: z.string(), value: jsonValueSchema.optional() })),
  next: z.string().nullable(),
});

/** Where the value of a key came from. */
export const explanationSchema = z
  .strictObject({
    key: z.string(),
    versions: z.array(
      z.strictObject({
        version: z.string(),
        at: time,
        node: z.string().nullable().describe("null: a member that has left"),
        invocation: z.string().nullable().describe("null: written from outside"),
        type: z.string(),
        expiresAt: time.nullable(),
      }),
    ),
    replicas: z.array(
      z.strictObject({
        node: z.string(),
        state: z.enum(["same", "newer", "older", "missing", "concurrent", "unknown"]),
        versions: z.array(z.string()),
        reason: z.string().optional().describe("why it is unknown"),
      }),
    ),
  })
  .meta({ id: "Explanation" });

/** One line of a watch. */
export const watchEventSchema = z
  .strictObject({ key: z.string(), value: jsonValueSchema.nullable(), version: z.string() })
  .meta({ id: "WatchEvent" });

/** One line of an export. */
export const exportedItemSchema = z
  .strictObject({
    key: z.string(),
    value: z.discriminatedUnion("t", [
      jsonValueSchema,
      z.strictObject({
        t: z.enum(["counter", "set", "map"]),
        v: z.string().describe("state, base64"),
      }),
    ]),
    expiresAt: time.optional(),
  })
  .meta({ id: "ExportedItem" });

/** A node of the cluster, as another one knows it. */
export const knownNodeSchema = z
  .strictObject({
    name: z.string(),
    /** The node that answers. */
    self: z.boolean(),
    state: z.enum(["up", "away"]),
    version: z.string(),
    platform: z.string(),
    python: z.string().optional(),
    storage: z.string(),
    labels: z.record(z.string(), z.string()),
    /** `HOST:PORT` of its links; none = it only dials out. */
    links: z.array(z.string()),
    functions: z.array(z.string()),
    keygroups: z.array(z.string()),
  })
  .meta({ id: "KnownNode" });

const guestSchema = z.union([
  z.strictObject({ version: z.string() }),
  z.strictObject({ missing: z.string() }),
]);

/** What a node tells about itself. */
export const nodeSchema = z
  .strictObject({
    name: z.string(),
    version: z.string(),
    addresses: z.strictObject({
      functions: z.string().nullable(),
      admin: z.string().nullable(),
      coap: z.string().nullable().optional(),
      grpc: z.string().nullable().optional(),
    }),
    access: z.enum(["public", "token"]),
    runtimes: z.strictObject({ python: guestSchema, node: guestSchema }),
    isolation: z.strictObject({
      available: z.array(z.enum(["process", "sandbox"])),
      sandboxMissing: z.string().optional(),
      memoryLimit: z.string(),
    }),
    storage: z.strictObject({ driver: z.string(), dataDir: z.string().nullable() }),
  })
  .meta({ id: "Node" });
