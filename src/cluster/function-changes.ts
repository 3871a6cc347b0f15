import { EnokiError } from "../core/errors.js";
import type { FunctionName, NodeName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type {
  ClusterFunctionRecord,
  FunctionTargets,
  NodeRecord,
  RevisionRecord,
} from "./records.js";

/** What is deployed: a revision that has no number yet. */
export type Deploy = Omit<RevisionRecord, "number">;

/** Room that the rest of a record needs beside its revisions. */
const REST_BYTES = 16 * 1024;

/**
 * Deploys: the next revision, on all nodes that had the function and on those added. The very code
 * and configuration that are current already make no new revision where they only come to a further
 * node; the same deploy never makes a second one.
 */
export function deployed(
  before: ClusterFunctionRecord | undefined,
  name: FunctionName,
  deploy: Deploy,
  targets: Partial<FunctionTargets>,
): ClusterFunctionRecord {
  const known = before?.isRemoved === false ? before : undefined;
  const all = union(known?.targets, targets);
  if (known?.revisions.some((revision) => revision.deploy === deploy.deploy)) {
    return { ...known, targets: all };
  }
  if (known && isSame(currentOf(known), deploy) && !sameTargets(known.targets, all)) {
    return { ...known, targets: all };
  }
  const number = (before?.last ?? 0) + 1;
  return {
    ...before,
    name,
    serial: before?.serial ?? 0,
    isRemoved: false,
    lineage: known?.lineage ?? known?.revisions[0]?.deploy ?? deploy.deploy,
    current: number,
    last: number,
    revisions: fitting([...(known?.revisions ?? []), { ...deploy, number }]),
    targets: all,
  };
}

/**
 * The next revision in place of the current one, which has the number `instead`, on the same nodes.
 * @throws EnokiError `ENOKI_VERSION_CONFLICT` if another one has become current meanwhile
 */
export function replaced(
  before: ClusterFunctionRecord,
  deploy: Deploy,
  instead: number,
): ClusterFunctionRecord {
  const isDone = before.revisions.some((revision) => revision.deploy === deploy.deploy);
  if (isDone || before.current === instead) return deployed(before, before.name, deploy, {});
  const detail = `function "${before.name}" has another revision by now`;
  throw new EnokiError("ENOKI_VERSION_CONFLICT", detail);
}

/** Adds nodes; absent ones follow by themselves. */
export function withTargets(
  before: ClusterFunctionRecord,
  targets: Partial<FunctionTargets>,
): ClusterFunctionRecord {
  return { ...before, targets: union(before.targets, targets) };
}

/**
 * Takes a node off.
 * @throws EnokiError `ENOKI_INVALID_INPUT` if the function runs there by a label or on all nodes
 */
export function withoutTarget(
  before: ClusterFunctionRecord,
  node: NodeName,
  nodeRecord: NodeRecord | undefined,
): ClusterFunctionRecord {
  const nodes = before.targets.nodes.filter((other) => other !== node);
  const rest = { ...before, targets: { ...before.targets, nodes } };
  if (nodeRecord && targetNodes(rest, [nodeRecord]).includes(node)) {
    const detail = `function "${before.name}" runs on "${node}" by a label or because it runs on all nodes`;
    throw new EnokiError("ENOKI_INVALID_INPUT", detail);
  }
  return rest;
}

/** Makes a kept revision the current one. @throws EnokiError `ENOKI_REVISION_NOT_FOUND` */
export function withCurrent(before: ClusterFunctionRecord, number: number): ClusterFunctionRecord {
  if (before.revisions.some((revision) => revision.number === number)) {
    return { ...before, current: number };
  }
  const detail = `function "${before.name}" has no revision ${number}`;
  throw new EnokiError("ENOKI_REVISION_NOT_FOUND", detail);
}

/** Removes the function; its number of revisions stays known. */
export function removed(before: ClusterFunctionRecord): ClusterFunctionRecord {
  return {
    ...before,
    isRemoved: true,
    lineage: undefined,
    current: 0,
    revisions: [],
    targets: { nodes: [], labels: [], isAll: false },
  };
}

/** The revision that is to serve. */
export function currentOf(record: ClusterFunctionRecord): RevisionRecord | undefined {
  return record.revisions.find(({ number }) => number === record.current);
}

/** The nodes that are to run a function: those named, also absent ones, and those of `nodes` that fit. */
export function targetNodes(
  { targets }: Pick<ClusterFunctionRecord, "targets">,
  nodes: Iterable<Pick<NodeRecord, "name" | "labels">>,
): NodeName[] {
  const names = new Set(targets.nodes);
  for (const { name, labels } of nodes) {
    const isFit = targets.labels.some((label) => {
      const split = label.indexOf("=");
      return labels[label.slice(0, split)] === label.slice(split + 1);
    });
    if (targets.isAll || isFit) names.add(name);
  }
  return [...names].sort();
}

function union(
  before: FunctionTargets | undefined,
  added: Partial<FunctionTargets>,
): FunctionTargets {
  return {
    nodes: [...new Set([...(before?.nodes ?? []), ...(added.nodes ?? [])])],
    labels: [...new Set([...(before?.labels ?? []), ...(added.labels ?? [])])],
    isAll: before?.isAll === true || added.isAll === true,
  };
}

function sameTargets(left: FunctionTargets, right: FunctionTargets): boolean {
  return JSON.stringify(union(left, {})) === JSON.stringify(union(right, {}));
}

function isSame(current: RevisionRecord | undefined, deploy: Deploy): boolean {
  return (
    current !== undefined &&
    current.source === deploy.source &&
    current.runtime === deploy.runtime &&
    canonical(current.config) === canonical(deploy.config)
  );
}

/** JSON whose members are in order of their names. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join()}}`;
}

/** The newest revisions, as many as are kept and as fit into a record. */
function fitting(revisions: readonly RevisionRecord[]): RevisionRecord[] {
  let kept = revisions.slice(-LIMITS.revisionsKeptMax);
  while (
    kept.length > 1 &&
    JSON.stringify(kept).length * 3 > LIMITS.namingRecordBytesMax - REST_BYTES
  ) {
    kept = kept.slice(1);
  }
  return kept;
}
