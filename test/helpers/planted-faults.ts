import type { Operation } from "./linearizability.js";

/**
 * A copy of a linearizable history in which one read returns a value that another write had
 * certainly replaced before it began; `undefined` if the history has no room for that.
 */
export function withStaleRead(history: readonly Operation[]): Operation[] | undefined {
  for (const [index, read] of history.entries()) {
    if (read.op !== "get") continue;
    const stale = replacedBefore(history, read);
    if (stale === undefined) continue;
    return history.map((it, i) => (i === index ? { ...read, value: stale } : it));
  }
  return undefined;
}

/** A copy in which a second update has seen, and so overwritten, what another had updated already. */
export function withLostUpdate(history: readonly Operation[]): Operation[] | undefined {
  const update = history.find((it) => it.op === "update" && it.saw !== null);
  if (update?.op !== "update") return undefined;
  return [...history, { ...update, wrote: `${update.wrote} again` }];
}

function replacedBefore(history: readonly Operation[], read: Operation): string | undefined {
  const writes = history.filter(
    (it) => it.op === "set" && it.key === read.key && it.returnedMs < read.invokedMs,
  );
  for (const old of writes) {
    const isReplaced = writes.some((it) => old.returnedMs < it.invokedMs);
    if (old.op === "set" && isReplaced) return old.wrote;
  }
  return undefined;
}
