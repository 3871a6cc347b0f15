import type { ReplicationContext } from "./context.js";
import { recordOf, type KeygroupMembership } from "./membership.js";

/** Messages kept while a record is being stored; more are lost, as on a link that breaks. */
const WAITING_MESSAGES_MAX = 256;

/**
 * Acts under a newer record, with the messages that came while it was being stored, in their order.
 */
export type ActUnder = (membership: KeygroupMembership, waiting: readonly (() => void)[]) => void;

/**
 * Brings records to be acted under, in their order, none before it is on stable storage. Messages
 * that come meanwhile wait: what members say may belong to the new record.
 */
export class RecordAdoption {
  readonly #context: ReplicationContext;
  readonly #act: ActUnder;
  #membership: KeygroupMembership | undefined;
  /** The latest record, while it is not acted under, and who waits for that. */
  #next: KeygroupMembership | undefined;
  #adopted: (() => void)[] = [];
  #waiting: (() => void)[] | undefined;
  #isClosed = false;

  constructor(context: ReplicationContext, act: ActUnder) {
    this.#context = context;
    this.#act = act;
  }

  /** The record that is acted under; `undefined` before the first. */
  get membership(): KeygroupMembership | undefined {
    return this.#membership;
  }

  /** True while a record is being stored. */
  get isStoring(): boolean {
    return this.#waiting !== undefined;
  }

  /** Resolves once a newer record, or a later one, is acted under; an older one is ignored. */
  async adopt(membership: KeygroupMembership): Promise<void> {
    const { replica } = this.#context.host;
    const newest = this.#next ?? this.#membership;
    const isOld = newest !== undefined && membership.epoch <= newest.epoch;
    if (this.#isClosed || isOld || membership.epoch < replica.record.epoch) return;
    if (membership.generation !== replica.identity.generation) return;
    const isStoring = this.#next !== undefined;
    this.#next = membership;
    this.#waiting ??= [];
    await new Promise<void>((resolve) => {
      this.#adopted.push(resolve);
      if (!isStoring) this.#store();
    });
  }

  /** Takes a message now, or once the record that is being stored is acted under. */
  deliver(message: () => void): void {
    if (!this.#waiting) message();
    else if (this.#waiting.length < WAITING_MESSAGES_MAX) this.#waiting.push(message);
  }

  close(): void {
    this.#isClosed = true;
  }

  #store(): void {
    const next = this.#next;
    if (!next || this.#isClosed) return;
    const { host, timers, timing } = this.#context;
    const again = (): void => {
      timers.after(timing.heartbeatIntervalMs, () => this.#store());
    };
    host.change({
      work: (replica) => ({ writes: replica.adopt(recordOf(next)), touched: [], value: undefined }),
      done: () => {
        host.sync().then(() => this.#stored(next), again);
      },
      failed: again,
    });
  }

  #stored(membership: KeygroupMembership): void {
    if (this.#isClosed) return;
    if (this.#next !== membership) {
      this.#store();
      return;
    }
    this.#next = undefined;
    this.#membership = membership;
    const [waiting, adopted] = [this.#waiting ?? [], this.#adopted];
    this.#waiting = undefined;
    this.#adopted = [];
    for (const resolve of adopted) resolve();
    this.#act(membership, waiting);
  }
}
