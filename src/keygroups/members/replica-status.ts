import * as z from "zod";

import { ByteReader } from "../../core/codec.js";
import { EnokiError } from "../../core/errors.js";
import { type KeygroupName, type NodeName, parseKeygroupName } from "../../core/ids.js";
import { Vector } from "../../core/vector.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { LocalReplica } from "./local-replica.js";

/** Number of the request for where a replica stands. Never change it. */
export const STATUS_METHOD = 56;

/** Where the replica of a keygroup on one node stands. */
export interface ReplicaStatus {
  readonly generation: number;
  /** Names the member. */
  readonly epoch: number;
  readonly isServing: boolean;
  /** The last record whose members its vectors list. */
  readonly recordEpoch: number;
  readonly applied: Vector;
  /** What it has on stable storage, also of origins whose members are gone and that none lists now. */
  readonly durable: Vector;
}

const vector = z.string().transform((text) => {
  return Vector.decode(new ByteReader(Buffer.from(text, "base64")));
});
const answerSchema = z.object({
  generation: z.number(),
  epoch: z.number(),
  isServing: z.boolean(),
  recordEpoch: z.number(),
  applied: vector,
  durable: vector,
});

/** Answers nodes that ask where the replicas here stand; names and values are not told. */
export function serveStatus(
  requests: Pick<PeerRequests, "serve">,
  local: (name: KeygroupName) => LocalReplica | undefined,
): void {
  requests.serve(STATUS_METHOD, ({ body }) => {
    const name = parseKeygroupName(Buffer.from(body).toString("utf8"));
    const known = local(name);
    if (!known?.isMember) {
      throw new EnokiError("ENOKI_REPLICA_NOT_FOUND", `there is no replica of "${name}" here`);
    }
    const { identity, vector: applied, durableVector, finals } = known.keygroup.replica;
    const durable = new Vector([...finals.entries(), ...durableVector.entries()]);
    const answer = {
      generation: identity.generation,
      epoch: identity.epoch,
      isServing: known.isServing,
      recordEpoch: applied.epoch,
      applied: Buffer.from(applied.encode()).toString("base64"),
      durable: Buffer.from(durable.encode()).toString("base64"),
    };
    return Buffer.from(JSON.stringify(answer));
  });
}

/** Asks another node. @throws EnokiError as `PeerRequests.request`, `ENOKI_REPLICA_NOT_FOUND` */
export async function askStatus(
  requests: Pick<PeerRequests, "request">,
  node: NodeName,
  name: KeygroupName,
  timeoutMs: number,
): Promise<ReplicaStatus> {
  const answer = await requests.request(node, STATUS_METHOD, Buffer.from(name), { timeoutMs });
  try {
    return answerSchema.parse(JSON.parse(Buffer.from(answer).toString("utf8")));
  } catch {
    throw new EnokiError("ENOKI_PROTOCOL", `${node} gave no account of its replica of "${name}"`);
  }
}
