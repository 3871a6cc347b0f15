import type { Directory } from "../../cluster/directory.js";
import type { KeygroupRecord } from "../../cluster/records.js";
import { parseDot } from "../../core/dot.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { ClusterKeygroups } from "../members/cluster-keygroups.js";
import type { LocalReplica } from "../members/local-replica.js";
import { keyReport, type KeyAnswer, type KeyReport } from "./key-report.js";
import {
  answerPeers,
  askStatus,
  askVersions,
  type KeyVersions,
  type ReplicaStatus,
} from "./peer-questions.js";
import { replicationReport, type ReplicationReport } from "./replication-report.js";

/** What an overview is made from. */
export interface OverviewOptions {
  readonly node: NodeName;
  readonly keygroups: Pick<ClusterKeygroups, "local" | "mayAsk">;
  readonly directory: Pick<Directory, "view">;
  readonly requests: Pick<PeerRequests, "request" | "serve">;
}

/** Keygroups over all their members, for whoever looks after them. It answers other nodes, too. */
export class KeygroupOverview {
  readonly #options: OverviewOptions;

  constructor(options: OverviewOptions) {
    this.#options = options;
    const { keygroups, requests } = options;
    answerPeers(requests, {
      mayAsk: (name, peer) => keygroups.mayAsk(name, peer),
      status: (name) => statusOf(keygroups.local(name)),
      versions: (name, key, known) => versionsAt(keygroups.local(name), key, known),
    });
  }

  /** How the keygroup is doing on each member; `undefined` if the directory does not know of it. */
  async replication(name: KeygroupName): Promise<ReplicationReport | undefined> {
    const { node, keygroups, directory, requests } = this.#options;
    const record = this.#record(name);
    if (!record) return undefined;
    const local = keygroups.local(name);
    const said = new Map<NodeName, ReplicaStatus>();
    await Promise.all(
      othersOf(record, node).map(async (other) => {
        const answer = await askStatus(requests, other, name).catch(reasonOf);
        if (!("reason" in answer)) said.set(other, answer);
      }),
    );
    return replicationReport({
      record,
      node,
      metrics: local?.replicator?.metrics(),
      own: statusOf(local),
      conflictsTotal: local?.keygroup.conflictsTotal ?? 0,
      isPresent: (other) => directory.view.isPresent(other),
      said,
    });
  }

  /** Where the value of a key came from and which members have it; `undefined`: none serves here. */
  async key(name: KeygroupName, key: string): Promise<KeyReport | undefined> {
    const { node, keygroups, requests } = this.#options;
    const record = this.#record(name);
    const local = keygroups.local(name);
    if (!record || local?.isServing !== true) return undefined;
    const explanation = local.keygroup.explain(key);
    const known = explanation.versions.map(({ version }) => version);
    const question = { keygroup: name, key, known };
    const others: KeyAnswer[] = await Promise.all(
      othersOf(record, node).map(async (other) => ({
        node: other,
        answer: await askVersions(requests, other, question).catch(reasonOf),
      })),
    );
    return keyReport(record, { node, explanation }, others, (version) => covers(local, version));
  }

  #record(name: KeygroupName): KeygroupRecord | undefined {
    const record = this.#options.directory.view.keygroup(name);
    return record?.isDropped === false ? record : undefined;
  }
}

function othersOf({ members }: KeygroupRecord, node: NodeName): NodeName[] {
  return members.map((member) => member.node).filter((other) => other !== node);
}

function statusOf(local: LocalReplica | undefined): ReplicaStatus | undefined {
  if (!local?.isMember) return undefined;
  if (local.keygroup.isLeaving) return { state: "leaving" };
  if (local.isServing) return { state: "serving" };
  const progress = local.replicator?.metrics().progress;
  return progress ? { state: "joining", progress } : { state: "joining" };
}

function versionsAt(
  local: LocalReplica | undefined,
  key: string,
  known: readonly string[],
): KeyVersions | undefined {
  if (local?.isServing !== true) return undefined;
  const versions = local.keygroup.explain(key).versions.map((version) => ({ ...version }));
  return { covers: known.every((version) => covers(local, version)), versions };
}

function covers(local: LocalReplica | undefined, version: string): boolean {
  const dot = parseDot(version);
  return dot !== undefined && local?.keygroup.replica.vector.covers(dot) === true;
}

/** Why a member did not answer. What is no error of the platform is a bug. */
function reasonOf(error: unknown): { readonly reason: string } {
  if (error instanceof EnokiError) return { reason: error.message };
  throw error;
}
