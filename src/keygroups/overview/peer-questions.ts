import * as z from "zod";

import { EnokiError } from "../../core/errors.js";
import { parseKeygroupName, type KeygroupName, type NodeName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";

/**
 * What a node asks the other members so that it can tell where a keygroup stands. Their answers are
 * for people: whoever does not answer soon is said not to have answered.
 */

/** How long an answer is waited for. */
const TIMEOUT_MS = 1000;

/** Numbers of the requests. Never change one. */
const METHOD = { status: 33, versions: 34 } as const;

const count = z.int().nonnegative();

const progressSchema = z.object({
  from: z.string(),
  items: count,
  sizeBytes: count,
  share: z.number().min(0).max(1),
});

const statusSchema = z.object({
  state: z.enum(["joining", "serving", "leaving"]),
  progress: progressSchema.optional(),
});

/** What a member says of its own replica. */
export type ReplicaStatus = z.output<typeof statusSchema>;

const versionSchema = z.object({
  version: z.string(),
  member: count,
  atMs: z.number(),
  invocation: z.string().optional(),
  type: z.string(),
  expiresAtMs: z.number(),
});

const versionsSchema = z.object({
  /** Has seen everything that was asked about. */
  covers: z.boolean(),
  versions: z.array(versionSchema),
});

/** What a member has of a key. */
export type KeyVersions = z.output<typeof versionsSchema>;

const statusQuestionSchema = z.object({ keygroup: z.string() });
const versionsQuestionSchema = z.object({
  keygroup: z.string(),
  key: z.string(),
  /** Versions that the asking node has. */
  known: z.array(z.string()),
});

/** Who answers for the replicas here. */
export interface PeerAnswers {
  /** True for nodes that may know of the keygroup. */
  readonly mayAsk: (name: KeygroupName, peer: NodeName) => boolean;
  /** `undefined`: there is no replica here. */
  readonly status: (name: KeygroupName) => ReplicaStatus | undefined;
  /** `undefined`: no replica here serves. */
  readonly versions: (
    name: KeygroupName,
    key: string,
    known: readonly string[],
  ) => KeyVersions | undefined;
}

/** Answers the questions of other nodes. */
export function answerPeers(requests: Pick<PeerRequests, "serve">, answers: PeerAnswers): void {
  const nameFor = (keygroup: string, peer: NodeName): KeygroupName => {
    const name = parseKeygroupName(keygroup);
    if (answers.mayAsk(name, peer)) return name;
    throw new EnokiError("ENOKI_FORBIDDEN", `"${peer}" has no part in keygroup "${name}"`);
  };
  requests.serve(METHOD.status, ({ peer, body }) => {
    const { keygroup } = read(statusQuestionSchema, body);
    return written(answers.status(nameFor(keygroup, peer)), keygroup);
  });
  requests.serve(METHOD.versions, ({ peer, body }) => {
    const { keygroup, key, known } = read(versionsQuestionSchema, body);
    return written(answers.versions(nameFor(keygroup, peer), key, known), keygroup);
  });
}

/** Asks a member about its replica. @throws EnokiError if it does not answer, or has none */
export async function askStatus(
  requests: Pick<PeerRequests, "request">,
  node: NodeName,
  keygroup: KeygroupName,
): Promise<ReplicaStatus> {
  const question = Buffer.from(JSON.stringify({ keygroup }));
  const options = { timeoutMs: TIMEOUT_MS };
  return read(statusSchema, await requests.request(node, METHOD.status, question, options));
}

/** Asks a member what it has of a key. @throws EnokiError if it does not answer, or does not serve */
export async function askVersions(
  requests: Pick<PeerRequests, "request">,
  node: NodeName,
  question: z.input<typeof versionsQuestionSchema>,
): Promise<KeyVersions> {
  const body = Buffer.from(JSON.stringify(question));
  const options = { timeoutMs: TIMEOUT_MS };
  return read(versionsSchema, await requests.request(node, METHOD.versions, body, options));
}

function written(answer: unknown, keygroup: string): Uint8Array {
  if (answer === undefined) {
    throw new EnokiError("ENOKI_PEER_UNREACHABLE", `keygroup "${keygroup}" is not served here`);
  }
  return Buffer.from(JSON.stringify(answer));
}

/** @throws EnokiError `ENOKI_PROTOCOL` */
function read<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch {
    throw new EnokiError("ENOKI_PROTOCOL", "a malformed message about a keygroup");
  }
}
