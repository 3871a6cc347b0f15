/** Work for later. Tests and the simulator bring their own, beside their own {@link Clock}. */
export interface Timers {
  /** Runs `work` once, `delayMs` from now; the returned function calls it off. */
  after(delayMs: number, work: () => void): () => void;
}

/** The timers of this process. None of them keeps it alive. */
export const systemTimers: Timers = {
  after: (delayMs, work) => {
    const timer = setTimeout(work, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
