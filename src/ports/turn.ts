/**
 * One turn of the event loop, as a unit of work. Whatever arrives while the loop polls its sockets
 * is decided at once; what must be stored is committed together at the end of the turn, and only
 * then is everything that was written to sockets handed to the system, in one call each.
 */
export interface Turn {
  /** Runs `work` at the end of this turn, before anything is flushed. */
  commit(work: () => void): void;
  /** Runs `work` at the end of this turn, after every commit. */
  flush(work: () => void): void;
}

/**
 * A {@link Turn} on Node's event loop, where the end of a turn is its check phase; or wherever
 * `atEnd` says.
 */
export function createTurn(atEnd: (end: () => void) => void = setImmediate): Turn {
  let commits: (() => void)[] = [];
  let flushes: (() => void)[] = [];
  let isArmed = false;

  const drain = (): void => {
    // Acknowledging one commit may start another; all of them belong to this turn.
    while (commits.length > 0) {
      const works = commits;
      commits = [];
      for (const work of works) work();
    }
    isArmed = false;
    const works = flushes;
    flushes = [];
    for (const work of works) work();
  };
  const arm = (): void => {
    if (isArmed) return;
    isArmed = true;
    atEnd(drain);
  };
  return {
    commit: (work) => {
      commits.push(work);
      arm();
    },
    flush: (work) => {
      flushes.push(work);
      arm();
    },
  };
}
