import { UsageError } from "./options.js";
import { Resources } from "./resources.js";

/**
 * Runs a command that measures something, and ends all that it has started however it ends: with its
 * own exit code, 1 when it throws (also where nobody waits for it), 2 when it was called wrongly, 130 on a
 * signal.
 */
export async function runMeasuring(
  command: (resources: Resources) => Promise<number>,
): Promise<void> {
  const resources = new Resources();
  endOnSignal(resources);
  endOnUncaught(resources);
  try {
    process.exitCode = await command(resources);
  } catch (error) {
    // why: what fails because everything is being ended is no news.
    if (!resources.isReleased) process.exitCode = complain(error);
  } finally {
    await resources.release();
  }
}

/** At the first signal everything is ended in order, at the second at once. */
function endOnSignal(resources: Resources): void {
  let signals = 0;
  const end = (): void => {
    signals += 1;
    if (signals > 1) resources.killAll();
    void resources.release().finally(() => process.exit(130));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
}

/** Node would end at once, and leave the processes behind. */
function endOnUncaught(resources: Resources): void {
  process.on("uncaughtException", (error) => {
    const exitCode = complain(error);
    void resources.release().finally(() => process.exit(exitCode));
  });
}

/** Says what went wrong and returns the exit code. */
function complain(error: unknown): number {
  const isUsage = error instanceof UsageError;
  process.stderr.write(isUsage ? `${error.message}\n` : `${(error as Error).stack}\n`);
  return isUsage ? 2 : 1;
}
