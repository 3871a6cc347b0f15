import type { NamingChange, NamingEntry, NamingEvents } from "../ports/naming.js";

/** What a watch reads. */
interface WatchedService {
  readonly revision: number;
  entries(prefix: string): readonly NamingEntry[];
  changesAfter(revision: number): readonly (readonly NamingChange[])[] | undefined;
}

/** How a watch hears of the service. */
interface WatchPath {
  isReachable(): boolean;
  /** Runs `work` after the time that a notice is under way. */
  later(work: () => void): () => void;
}

/** One watch on a naming service in memory: what it tells comes later, in order, and without a gap. */
export class MemoryWatch {
  readonly #service: WatchedService;
  readonly #prefix: string;
  readonly #events: NamingEvents;
  readonly #path: WatchPath;
  /** Everything up to this revision has been told. */
  #told: number | undefined;
  #toldReachable: boolean | undefined;
  #stopNotice: (() => void) | undefined;
  #isStopped = false;

  constructor(service: WatchedService, prefix: string, events: NamingEvents, path: WatchPath) {
    this.#service = service;
    this.#prefix = prefix;
    this.#events = events;
    this.#path = path;
    this.wake();
  }

  /** Looks soon whether there is something to tell. */
  wake(): void {
    if (this.#isStopped) return;
    this.#stopNotice ??= this.#path.later(() => {
      this.#stopNotice = undefined;
      this.#tell();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopNotice?.();
  }

  #tell(): void {
    const isReachable = this.#path.isReachable();
    if (isReachable) this.#tellChanges();
    if (this.#isStopped || this.#toldReachable === isReachable) return;
    this.#toldReachable = isReachable;
    this.#events.reachable(isReachable);
  }

  #tellChanges(): void {
    const told = this.#told;
    const missed = told === undefined ? undefined : this.#service.changesAfter(told);
    this.#told = this.#service.revision;
    if (missed === undefined) {
      this.#events.reset(this.#service.entries(this.#prefix));
      return;
    }
    for (const transaction of missed) {
      const changes = transaction.filter(({ key }) => key.startsWith(this.#prefix));
      if (changes.length > 0 && !this.#isStopped) this.#events.changed(changes);
    }
  }
}
