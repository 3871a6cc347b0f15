import type { InvocationId } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";

/** Which invocations of each function are dead letters, oldest first. */
export class DeadLetters {
  readonly #ids = new Map<string, Set<InvocationId>>();

  /** Adds the newest; returns the oldest if that makes it one too many. */
  add(functionName: string, id: InvocationId): InvocationId | undefined {
    const ids = this.#ids.get(functionName) ?? new Set<InvocationId>();
    this.#ids.set(functionName, ids);
    ids.add(id);
    if (ids.size <= LIMITS.deadLettersMax) return undefined;
    const [oldest] = ids;
    return oldest;
  }

  remove(functionName: string, id: InvocationId): void {
    const ids = this.#ids.get(functionName);
    ids?.delete(id);
    if (ids?.size === 0) this.#ids.delete(functionName);
  }
}
