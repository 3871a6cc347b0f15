import { randomUUID } from "node:crypto";

import type { FunctionName, NodeName } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Storage } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Secrets } from "../secrets/secrets.js";
import { chosenNode, firingNodes } from "../triggers/chosen-node.js";
import type { FunctionTrigger } from "../triggers/trigger-book.js";
import type {
  RunningSource,
  SourceStarter,
  TriggerSourcesOptions,
} from "../triggers/trigger-sources.js";
import type { NodeCluster } from "./cluster.js";
import { nodeIdentity } from "./node-identity.js";

/** What sources are started with. */
export interface StarterPartsOptions {
  readonly node: NodeName;
  readonly nodeStore: Storage;
  readonly cluster: NodeCluster | undefined;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** How ticks and messages are listened to. What that takes is loaded with the first trigger of its kind. */
export function sourceStarters(options: StarterPartsOptions): TriggerSourcesOptions["starters"] {
  const { cluster, nodeStore, secrets } = options;
  const random = Math.random;
  const identityOf = (name: string): string => {
    const record = cluster?.directory.view.function(name as FunctionName);
    return record?.lineage ?? record?.revisions[0]?.deploy ?? nodeIdentity(nodeStore, randomUUID());
  };
  return {
    cron: loading(async () => {
      const { startCron } = await import("../triggers/cron/cron-starter.js");
      return (start) => startCron({ ...options, random }, start);
    }),
    mqtt: loading(async () => {
      const { startMqtt } = await import("../triggers/mqtt/mqtt-starter.js");
      const openSecret = (owner: FunctionName, name: string, sealed: string): string =>
        secrets.open(owner, { [name]: sealed })[name] ?? "";
      return (start) => startMqtt({ ...options, random, identityOf, openSecret }, start);
    }),
  };
}

/** Whether this node is the one that fires a trigger for all, as far as is known here. */
export function isChosen(
  { at, id, function: name }: FunctionTrigger,
  node: NodeName,
  cluster: NodeCluster | undefined,
): boolean {
  if (at !== "one" || !cluster) return true;
  return chosenNode(id, firingNodes(cluster.directory.view, name)) === node;
}

/** Starts what is still to be loaded, unless it is closed before. */
function loading(load: () => Promise<SourceStarter>): SourceStarter {
  return (start) => {
    let source: RunningSource | undefined;
    let isClosed = false;
    const starting = load().then((starter) => {
      if (!isClosed) source = starter(start);
    });
    return {
      get failure() {
        return source?.failure;
      },
      close: async (isGone) => {
        isClosed = true;
        await starting;
        await source?.close(isGone);
      },
    };
  };
}
