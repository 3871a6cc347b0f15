import { EnokiError } from "../core/errors.js";
import type { FunctionName, KeygroupName, NodeName } from "../core/ids.js";
import type { Logger } from "../ports/logger.js";
import {
  namingUnavailable,
  type Naming,
  type NamingChange,
  type NamingEntry,
} from "../ports/naming.js";
import type { Storage } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import { Announcement } from "./announcement.js";
import { ClusterControl } from "./control.js";
import { type AnyRecord, decodeRecord, encodeRecord, isLasting, keyOf } from "./record-codec.js";
import { parseRecordKey } from "./record-keys.js";
import { RecordChanges } from "./record-changes.js";
import type { NodeRecord } from "./records.js";
import { type StoredChange, StoredView } from "./stored-view.js";
import { TokenControl } from "./token-control.js";
import { isNewer, View } from "./view.js";

/** What a directory is made of. */
export interface DirectoryOptions {
  readonly node: NodeName;
  readonly naming: Naming;
  /** The node's own store. */
  readonly storage: Storage;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

/** Told after a change has been stored here. Looks the new state up in the view. */
export interface DirectoryListener {
  nodeChanged?(name: NodeName): void;
  /** The function, or how far it is on some node. */
  functionChanged?(name: FunctionName): void;
  keygroupChanged?(name: KeygroupName): void;
  reachabilityChanged?(isReachable: boolean): void;
}

/** A record as the service tells it; without a value it is gone. */
interface Heard {
  readonly key: string;
  readonly value: string | undefined;
}

/** What is to be done with one record that was heard. */
interface Adoption {
  readonly key: string;
  readonly stored?: StoredChange;
  /** Of a node: whether it is there. */
  readonly isPresent?: boolean;
}

const RETRY_MS = 1000;

/**
 * The node's view of the global configuration, and the way to change it. Naming may be away: the last
 * view is in the node's own store, and everything that only looks goes on.
 *
 * Invariants: 1. A record is on stable storage here before anyone is told of it. 2. A keygroup or
 * function never goes back to an earlier state. 3. Adoptions happen one after another, in the order
 * in which they were heard.
 */
export class Directory {
  readonly view = new View();
  readonly control: ClusterControl;
  readonly tokens: TokenControl;
  readonly #options: DirectoryOptions;
  readonly #stored: StoredView;
  readonly #listeners = new Set<DirectoryListener>();
  readonly #announcement: Announcement;
  readonly #problems = new Map<string, string>();
  #adopting: Promise<void> = Promise.resolve();
  #stopWatch: (() => void) | undefined;
  #stopRetry: (() => void) | undefined;
  #isReachable = false;
  #away: { readonly cause: EnokiError | undefined } | undefined;
  #isClosed = false;
  #readyNow!: () => void;
  readonly #ready = new Promise<void>((resolve) => (this.#readyNow = resolve));

  /** Opens the last view. @throws EnokiError `ENOKI_NAMING_RECORD` if a newer version stored it */
  constructor(options: DirectoryOptions) {
    this.#options = options;
    const { node, naming, storage, timers, random, logger } = options;
    this.#stored = new StoredView(storage, newDiskName(random));
    for (const record of this.#stored.load()) this.view.set(keyOf(record), record);
    this.#announcement = new Announcement({ node, disk: this.disk, naming, timers, logger });
    const changes = new RecordChanges({
      naming,
      timers,
      random,
      known: (key) => this.view.get(key),
      adopt: (record) => this.#adopt([{ key: keyOf(record), value: encodeRecord(record) }]),
    });
    this.tokens = new TokenControl(changes);
    const place = { node, disk: this.disk };
    this.control = new ClusterControl({
      place,
      naming,
      changes,
      view: this.view,
      announcement: this.#announcement,
    });
  }

  /** Names the disk of this node: a lost one comes back under another name. */
  get disk(): string {
    return this.#stored.disk;
  }

  /** Whether the naming service can be asked now, as far as we know. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  /**
   * For what needs the naming service much later, so that nothing is begun in vain.
   * @throws EnokiError `ENOKI_NAMING_UNAVAILABLE`, or `ENOKI_NAMING_REFUSED` if it does not let us in
   */
  requireReachable(detail: string): void {
    if (this.#isReachable) return;
    const cause = this.#away?.cause;
    throw cause?.code === "ENOKI_NAMING_REFUSED" ? cause : namingUnavailable(detail);
  }

  /** Records that could not be read, by key: the last good state of each is in use. */
  get problems(): ReadonlyMap<string, string> {
    return this.#problems;
  }

  /** Begins to follow, and to announce this node for as long as the directory is open. */
  start(self: Omit<NodeRecord, "name" | "disk">): void {
    this.#announcement.set(self);
    this.#follow();
  }

  /** Resolves once the view is current, or naming is known to be away and the last view is in use. */
  async ready(): Promise<void> {
    await this.#ready;
  }

  /** Tells of changes from now on; the returned function ends it. */
  subscribe(listener: DirectoryListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Follows no longer; the naming service itself belongs to the caller. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWatch?.();
    this.#stopRetry?.();
    this.#announcement.close();
    await this.#adopting;
  }

  #follow(): void {
    this.#stopWatch = this.#options.naming.watch("", {
      reset: (entries) => this.#hear(entries, entries),
      changed: (changes) => this.#hear(changes, undefined),
      reachable: (...told) => this.#reachable(...told),
    });
  }

  #reachable(isReachable: boolean, cause?: EnokiError): void {
    const { logger } = this.#options;
    this.#isReachable = isReachable;
    if (!isReachable) {
      const detail = cause && { code: cause.code, cause: cause.message };
      logger.warn(
        detail ?? {},
        "the naming service is away; all goes on, and nothing can be changed",
      );
    } else if (this.#away) logger.info({}, "the naming service is back");
    this.#away = isReachable ? undefined : { cause };
    this.#announcement.reachable(isReachable);
    for (const listener of this.#listeners) listener.reachabilityChanged?.(isReachable);
    if (!isReachable) this.#readyNow();
  }

  /** Takes over what the watch tells; `whole` = everything there is. */
  #hear(heard: readonly NamingChange[], whole: readonly NamingEntry[] | undefined): void {
    const adopted = whole === undefined ? this.#adopt(heard) : this.#adoptWhole(whole);
    adopted.catch((error: unknown) => this.#startOver(error));
  }

  /** A change could not be stored (a full disk): what was missed is heard again, all of it. */
  #startOver(error: unknown): void {
    if (!(error instanceof EnokiError)) throw error;
    if (this.#isClosed) return;
    this.#options.logger.error(
      { code: error.code },
      `the directory cannot store: ${error.message}`,
    );
    this.#stopWatch?.();
    this.#stopRetry?.();
    this.#stopRetry = this.#options.timers.after(RETRY_MS, () => this.#follow());
  }

  async #adoptWhole(entries: readonly NamingEntry[]): Promise<void> {
    const there = new Set(entries.map(({ key }) => key));
    const gone = this.view.keys().filter((key) => !there.has(key));
    await this.#adopt([...entries, ...gone.map((key) => ({ key, value: undefined }))]);
    this.#readyNow();
    // What naming has lost comes back from the views of the nodes.
    const older = entries.filter(({ key, value }) => {
      const [known, heard] = [this.view.get(key), this.#decode(key, value)];
      return known && heard && isLasting(known) && isNewer(known, heard);
    });
    await this.control.restore([...gone, ...older.map(({ key }) => key)]);
  }

  /** Resolves once everything is stored, in use, and told. */
  async #adopt(heard: readonly Heard[]): Promise<void> {
    const before = this.#adopting;
    const mine = (async () => {
      await before;
      if (this.#isClosed) return;
      const adoptions = heard.flatMap((one) => this.#adoptionOf(one) ?? []);
      const stored = adoptions.flatMap(({ stored }) => stored ?? []);
      if (stored.length > 0) await this.#stored.store(stored);
      for (const adoption of adoptions) this.#apply(adoption);
      for (const { key } of adoptions) this.#tell(key);
    })();
    this.#adopting = mine.catch(() => {});
    await mine;
  }

  /** `undefined` if nothing changes. */
  #adoptionOf({ key, value }: Heard): Adoption | undefined {
    const known = this.view.get(key);
    const record = value === undefined ? undefined : this.#decode(key, value);
    if (record !== undefined) return this.#adoptionOfRecord(key, record, known);
    // Lasting records are only lost, never deleted; what cannot be read changes nothing.
    if (value !== undefined || known === undefined || isLasting(known)) return undefined;
    if (known.kind !== "node") return { key, stored: { forgotten: key } };
    const isNamed = this.view.namedNodes().has(known.record.name);
    if (isNamed && !this.view.isPresent(known.record.name)) return undefined;
    return { key, isPresent: false, ...(!isNamed && { stored: { forgotten: key } }) };
  }

  #adoptionOfRecord(
    key: string,
    record: AnyRecord,
    known: AnyRecord | undefined,
  ): Adoption | undefined {
    const isKnown = known !== undefined && encodeRecord(known) === encodeRecord(record);
    if (record.kind === "node") {
      if (isKnown && this.view.isPresent(record.record.name)) return undefined;
      return { key, isPresent: true, ...(!isKnown && { stored: { record } }) };
    }
    if (isKnown || (isLasting(record) && !isNewer(record, known))) return undefined;
    return { key, stored: { record } };
  }

  #decode(key: string, value: string): AnyRecord | undefined {
    try {
      const record = decodeRecord(key, value);
      this.#problems.delete(key);
      return record;
    } catch (error) {
      const { message } = error as Error;
      if (this.#problems.get(key) !== message) this.#options.logger.warn({ key }, message);
      this.#problems.set(key, message);
      return undefined;
    }
  }

  #apply({ key, stored, isPresent }: Adoption): void {
    if (stored !== undefined) {
      if ("record" in stored) this.view.set(key, stored.record);
      else this.view.forget(key);
    }
    const parsed = parseRecordKey(key);
    if (isPresent !== undefined && parsed?.kind === "node") {
      this.view.setPresent(parsed.node, isPresent);
    }
  }

  #tell(key: string): void {
    const parsed = parseRecordKey(key);
    for (const listener of this.#listeners) {
      if (parsed?.kind === "node") listener.nodeChanged?.(parsed.node);
      else if (parsed?.kind === "keygroup") listener.keygroupChanged?.(parsed.keygroup);
      else if (parsed !== undefined && parsed.kind !== "token") {
        listener.functionChanged?.(parsed.function);
      }
    }
  }
}

/** 128 bits as text. */
function newDiskName(random: () => number): string {
  return Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join("");
}
