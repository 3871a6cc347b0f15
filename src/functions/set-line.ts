import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import type { SentSet } from "../keygroups/sent-set.js";

/** A set that its function does not wait for. */
interface EarlySet {
  readonly payload: Buffer;
  /** As in `SentSet`, once it is known. */
  end: boolean | EnokiError | undefined;
  /** Resolves when it is. */
  readonly ended: Promise<void>;
}

/** The sets of one call that nobody has acknowledged yet, in the order in which they were made. */
export class SetLine {
  readonly #sendAgain: (payload: Buffer) => Promise<void>;
  #sets: EarlySet[] = [];
  #to: NodeName | undefined;
  #failure: EnokiError | undefined;
  #settling: Promise<EnokiError | undefined> | undefined;

  /** `sendAgain` sends one that was certainly not stored, and resolves once it is; rejects with an EnokiError. */
  constructor(sendAgain: (payload: Buffer) => Promise<void>) {
    this.#sendAgain = sendAgain;
  }

  /** The only node that the next one may go to: behind others, so that the order is kept. */
  get to(): NodeName | undefined {
    return this.#sets.length > 0 ? this.#to : undefined;
  }

  /** There is nothing to wait for, and nothing has failed. */
  get isEmpty(): boolean {
    return this.#sets.length === 0 && !this.#failure;
  }

  /** True while another one may be sent behind them. */
  get isOpen(): boolean {
    if (this.#settling || this.#failure) return false;
    return this.#sets.every(({ end }) => end === undefined || end === true);
  }

  /** Takes one that was just sent to {@link to}; the line must be open. `ended` is called when its end is known. */
  add(payload: Buffer, { to, stored }: SentSet, ended: () => void): void {
    this.#to = to;
    const set: EarlySet = {
      payload,
      end: undefined,
      ended: stored.then(
        (end) => this.#ended(set, end, ended),
        (error: unknown) => this.#ended(set, asFailure(error), ended),
      ),
    };
    this.#sets.push(set);
  }

  /** Resolves once all are acknowledged, or with why one is not. What is added meanwhile is not waited for. */
  settled(): Promise<EnokiError | undefined> {
    this.#settling ??= this.#settle().then((failure) => {
      this.#settling = undefined;
      this.#sets = [];
      this.#failure = failure;
      return failure;
    });
    return this.#settling;
  }

  #ended(set: EarlySet, end: boolean | EnokiError, ended: () => void): void {
    set.end = end;
    ended();
    if (this.#settling) return;
    // Those that are stored, and all before them, need no remembering.
    while (this.#sets[0]?.end === true) this.#sets.shift();
  }

  async #settle(): Promise<EnokiError | undefined> {
    if (this.#failure) return this.#failure;
    await Promise.all(this.#sets.map(({ ended }) => ended));
    const failed = this.#sets.find(({ end }) => end instanceof EnokiError);
    if (failed) return unacknowledged(failed.end as EnokiError);
    const first = this.#sets.findIndex(({ end }) => end === false);
    if (first < 0) return undefined;
    const left = this.#sets.slice(first);
    if (left.some(({ end }) => end === true)) {
      const detail = "one was not stored, and one behind it was";
      return unacknowledged(new EnokiError("ENOKI_OUTCOME_UNKNOWN", detail));
    }
    try {
      for (const { payload } of left) await this.#sendAgain(payload);
      return undefined;
    } catch (error) {
      return unacknowledged(asFailure(error));
    }
  }
}

/** @throws what is no EnokiError: a bug of ours */
function asFailure(error: unknown): EnokiError {
  if (error instanceof EnokiError) return error;
  throw error;
}

function unacknowledged({ code, message }: EnokiError): EnokiError {
  const detail = `the function went on from a write that was not acknowledged: ${message}`;
  return new EnokiError("ENOKI_WRITE_UNACKNOWLEDGED", detail, { cause: code });
}
