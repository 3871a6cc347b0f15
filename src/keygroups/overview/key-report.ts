import type { KeygroupRecord } from "../../cluster/records.js";
import type { NodeName } from "../../core/ids.js";
import type { Explanation } from "../types.js";
import type { KeyVersions } from "./peer-questions.js";

/**
 * What a member has of a key, compared with the node that was asked: the `same` versions; `newer` ones,
 * or it was deleted there since; an `older` version; `missing`: not there yet; `concurrent`: each
 * has a version that the other lacks; `unknown`: it did not answer.
 */
export type KeyState = "same" | "newer" | "older" | "missing" | "concurrent" | "unknown";

/** A key at one member. */
export interface KeyReplica {
  readonly node: NodeName;
  readonly state: KeyState;
  readonly versions: readonly string[];
  /** Why it is unknown. */
  readonly reason?: string;
}

/** Where a value came from, and who has it. */
export interface KeyReport {
  readonly key: string;
  readonly versions: readonly (Explanation["versions"][number] & {
    /** `undefined`: a member that has left wrote it. */
    readonly node: NodeName | undefined;
  })[];
  readonly replicas: readonly KeyReplica[];
}

/** The answer of another member, or why there is none. */
export interface KeyAnswer {
  readonly node: NodeName;
  readonly answer: KeyVersions | { readonly reason: string };
}

/** On a node that stands alone. */
export function soleKeyReport(name: string, { key, versions }: Explanation): KeyReport {
  const node = name as NodeName;
  const here = versions.map(({ version }) => version);
  return {
    key,
    versions: versions.map((version) => ({ ...version, node })),
    replicas: [{ node, state: "same", versions: here }],
  };
}

/** Puts together what is known here and what the others have said. */
export function keyReport(
  record: KeygroupRecord,
  own: { readonly node: NodeName; readonly explanation: Explanation },
  others: readonly KeyAnswer[],
  covers: (version: string) => boolean,
): KeyReport {
  const { key, versions } = own.explanation;
  const here = versions.map(({ version }) => version);
  const known = new Map(versions.map((version) => [version.version, version]));
  const replicas: KeyReplica[] = [{ node: own.node, state: "same", versions: here }];
  for (const { node, answer } of others) {
    if ("reason" in answer) {
      replicas.push({ node, state: "unknown", versions: [], reason: answer.reason });
      continue;
    }
    for (const version of answer.versions) {
      const { invocation } = version;
      if (!known.has(version.version)) known.set(version.version, { ...version, invocation });
    }
    const there = answer.versions.map(({ version }) => version);
    replicas.push({ node, state: compare(here, there, answer.covers, covers), versions: there });
  }
  const nodes = new Map(record.members.map(({ epoch, node }) => [epoch, node]));
  return {
    key,
    versions: [...known.values()].map((one) => ({ ...one, node: nodes.get(one.member) })),
    replicas,
  };
}

function compare(
  here: readonly string[],
  there: readonly string[],
  coversHere: boolean,
  covers: (version: string) => boolean,
): KeyState {
  if (here.length === there.length && here.every((version) => there.includes(version))) {
    return "same";
  }
  if (coversHere) return "newer";
  if (there.length === 0) return "missing";
  return there.every(covers) ? "older" : "concurrent";
}
