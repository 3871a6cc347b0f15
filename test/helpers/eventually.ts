import { vi } from "vitest";

/** As long as a test that waits may take on a machine that others use too. */
const PATIENT = { timeout: 20_000, interval: 10 };

/** Tries a check until it does not throw; then rejects with what it threw last. Returns what it returns. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, PATIENT);
}

/** Waits until a condition holds. */
export function eventuallyTrue(condition: () => boolean): Promise<boolean> {
  return vi.waitUntil(condition, PATIENT);
}

/** Waits in real time until a condition holds, while virtual time stands still; the test's limit is the limit. */
export async function eventuallyOutside(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
