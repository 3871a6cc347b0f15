import type { FunctionName } from "../core/ids.js";
import { tryFromRecord } from "../deployment/revision-code.js";
import type { CallRequest } from "../functions/call.js";
import type { Outbox } from "../functions/outbox/outbox.js";
import type { FunctionRecord } from "../functions/types.js";
import type { Logger } from "../ports/logger.js";
import { TriggerBook } from "../triggers/trigger-book.js";
import {
  TriggerSources,
  type FiredEvent,
  type TriggerSourcesOptions,
} from "../triggers/trigger-sources.js";
import type { NodeCluster } from "./cluster.js";

/** The triggers of the functions that the directory knows, or of those here on a node that is alone. */
export function openTriggerBook(
  cluster: NodeCluster | undefined,
  records: readonly FunctionRecord[],
): TriggerBook {
  const book = new TriggerBook();
  if (!cluster) {
    for (const record of records) noteFunction(book, record.name, record);
    return book;
  }
  const { view } = cluster.directory;
  const look = (name: FunctionName): void => {
    const record = view.function(name);
    const current = record?.isRemoved === false ? record.current : 0;
    const upTo = (record?.revisions ?? []).filter(({ number }) => number <= current);
    const revisions = upTo.map((revision) => {
      const { triggers, secrets } = tryFromRecord(revision)?.config ?? {};
      return { triggers, secrets, deployedAtMs: revision.deployedAtMs };
    });
    book.set(name, revisions);
  };
  for (const { name } of view.functions()) look(name);
  cluster.directory.subscribe({ functionChanged: look });
  return book;
}

/** Notes what a function of a node that is alone is called by now; `undefined` = it is gone. */
export function noteFunction(
  book: TriggerBook,
  name: FunctionName,
  record: FunctionRecord | undefined,
): void {
  const upTo = (record?.revisions ?? []).filter(({ number }) => number <= (record?.current ?? 0));
  book.set(
    name,
    upTo.map(({ config, createdAtMs }) => ({
      triggers: config.triggers,
      secrets: config.secrets,
      deployedAtMs: createdAtMs,
    })),
  );
}

/** What sources of events are started with. */
export interface SourcePartsOptions {
  readonly book: TriggerBook;
  readonly starters: TriggerSourcesOptions["starters"];
  readonly isHere: TriggerSourcesOptions["isHere"];
  readonly outbox: Pick<Outbox, "acceptEvent">;
  readonly cluster: NodeCluster | undefined;
  readonly logger: Logger;
}

/** What calls functions by itself on this node. */
export interface TriggerParts {
  /** Starts and stops what is to run otherwise than before. */
  readonly look: () => void;
  /** Why triggers of a function cannot fire here for now, by their `on`. */
  readonly failuresOf: TriggerSources["failuresOf"];
  /** Nothing more is fired; resolves when what is being stored is stored. */
  readonly close: () => Promise<void>;
}

/** Runs the sources that are to run on this node. */
export function startSources(options: SourcePartsOptions): TriggerParts {
  const { book, starters, isHere, outbox, cluster, logger } = options;
  const sources = new TriggerSources({
    starters,
    triggers: () => book.all(),
    isHere,
    fire: async (trigger, event) => {
      await outbox.acceptEvent({ function: trigger.function, request: requestOf(event) });
    },
    logger,
  });
  const look = (): void => sources.look();
  const ends = [book.subscribe(look)];
  if (cluster) {
    ends.push(cluster.directory.subscribe({ nodeChanged: look, functionChanged: look }));
  }
  look();
  return {
    look,
    failuresOf: (name) => sources.failuresOf(name),
    close: async () => {
      for (const end of ends) end();
      await sources.close();
    },
  };
}

/** The call that an event makes: a POST of JSON. */
function requestOf({ data, idempotencyKey }: FiredEvent): CallRequest {
  return {
    method: "POST",
    path: "",
    query: "",
    contentType: "application/json",
    idempotencyKey,
    headers: "",
    body: Buffer.from(JSON.stringify(data), "utf8"),
  };
}
