import { onTestFinished } from "vitest";

import { systemTimers, type Timers } from "../../src/ports/timers.js";

/**
 * The system's timers for as long as the test runs. What repeats itself ends with the test, also where
 * the test closes nothing: files may share a process, and virtual time of a later one would drive it.
 */
export function timersOfTest(): Timers {
  let isOver = false;
  onTestFinished(() => void (isOver = true));
  return {
    after: (delayMs, work) =>
      systemTimers.after(delayMs, () => {
        if (!isOver) work();
      }),
  };
}
