import type { Grantee } from "../cluster/records.js";
import type { KeygroupName, NodeName } from "../core/ids.js";
import { includesRight, type Right } from "../core/rights.js";
import type { Outbox } from "../functions/outbox/outbox.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import { systemTimers } from "../ports/timers.js";
import { chosenNode } from "../triggers/chosen-node.js";
import { changeCall } from "../triggers/data/change-calls.js";
import { DataTriggers } from "../triggers/data/data-triggers.js";
import type { TriggerBook } from "../triggers/trigger-book.js";
import type { NodeCluster } from "./cluster.js";
import { keygroupOf } from "./keygroup-parts.js";

/** What triggers on keygroups are made from. */
export interface DataTriggerParts {
  readonly book: TriggerBook;
  readonly node: NodeName;
  readonly cluster: NodeCluster | undefined;
  readonly keygroups: () => Pick<NodeKeygroups, "list" | "find" | "get">;
  readonly outbox: () => Outbox;
  readonly rightsOf: (name: KeygroupName, grantee: Grantee) => readonly Right[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The triggers on keygroups of this node; they note from now on, and tell once they are opened. */
export function openDataTriggers(parts: DataTriggerParts): DataTriggers {
  const { book, node, cluster, keygroups, outbox, rightsOf, clock, logger } = parts;
  const triggers = new DataTriggers({
    book,
    node,
    keygroups: () =>
      keygroups()
        .list()
        .filter(({ name }) => keygroups().get(name) !== undefined),
    mayListen: ({ function: name, cause: { keygroup } }) =>
      keygroup === keygroupOf(name) ||
      includesRight(rightsOf(keygroup, { kind: "function", id: name }), "triggers"),
    isChosen: ({ id, cause }) =>
      cluster === undefined || chosenNode(id, membersThere(cluster, cause.keygroup)) === node,
    prepare: (name, events) => {
      const calls = events.map(({ event, ...rest }) =>
        changeCall({ ...rest, event, order: event.key, place: "" }),
      );
      return outbox().prepareEvents(() => keygroups().find(name), calls);
    },
    outbox: {
      roomFor: (name) => outbox().roomFor(name),
      whenEnded: (id, ended) => outbox().whenEnded(id, ended),
      prepare: (name, events) => {
        const calls = events.map(({ trigger, event, depth }) => {
          const place = trigger.at === "every" ? node : "";
          return changeCall({ trigger, event, origin: { depth, headers: "" }, order: "", place });
        });
        return outbox().prepareEvents(() => keygroups().find(name), calls);
      },
    },
    clock,
    timers: systemTimers,
    logger,
  });
  cluster?.directory.subscribe({
    nodeChanged: () => triggers.look(),
    keygroupChanged: () => triggers.look(),
  });
  return triggers;
}

/** The nodes of a keygroup's replicas that are there; as long as nothing was heard, all of them. */
function membersThere({ directory }: NodeCluster, name: KeygroupName): NodeName[] {
  const { view } = directory;
  const members = (view.keygroup(name)?.members ?? []).map((member) => member.node);
  const isHeard = view.nodes().some(({ isPresent }) => isPresent);
  return isHeard ? members.filter((member) => view.isPresent(member)) : members;
}
