import type { Directory } from "../cluster/directory.js";
import { targetNodes } from "../cluster/function-changes.js";
import type { NodeRecord } from "../cluster/records.js";
import type { KnownNode } from "../gateway/admin/deps.js";

/** What a node says of itself, where nobody else could. */
export interface OwnNode {
  readonly name: string;
  readonly version: string;
  readonly storage: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly functions: readonly string[];
  readonly keygroups: readonly string[];
}

/** The one node that there is. */
export function nodeAlone(own: OwnNode): KnownNode[] {
  const platform = `${process.platform}-${process.arch}`;
  return [{ ...own, self: true, state: "up", platform, links: [] }];
}

/** All nodes that a directory knows, by name. */
export function nodesOf({ view }: Directory, self: string): KnownNode[] {
  return view.nodes().map(({ record, isPresent }) => ({
    name: record.name,
    self: record.name === self,
    state: isPresent || record.name === self ? "up" : "away",
    version: record.version,
    platform: record.platform,
    ...(record.python === undefined ? {} : { python: record.python }),
    storage: record.storage,
    labels: record.labels,
    links: record.addresses,
    functions: view
      .functions()
      .filter((known) => !known.isRemoved && targetNodes(known, [record]).includes(record.name))
      .map(({ name }) => name),
    keygroups: keygroupsOn(view, record),
  }));
}

function keygroupsOn(view: Directory["view"], { name }: NodeRecord): string[] {
  const held = view.keygroups().filter(({ members }) => members.some(({ node }) => node === name));
  return held.map((keygroup) => keygroup.name);
}
