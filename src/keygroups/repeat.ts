import type { Timers } from "../ports/timers.js";

/** Does `work` every `intervalMs` until the returned function is called. */
export function repeat(timers: Timers, intervalMs: number, work: () => void): () => void {
  let isOver = false;
  let cancel = (): void => {};
  const arm = (): void => {
    cancel = timers.after(intervalMs, () => {
      work();
      if (!isOver) arm();
    });
  };
  arm();
  return () => {
    isOver = true;
    cancel();
  };
}
