import { assert } from "../base/assert.js";

/** Longest key of a store, in bytes. */
export const STORE_KEY_SIZE_BYTES_MAX = 1500;

/** Asserts that `name` is safe as a file name on every system: it never comes from outside. */
export function assertStoreName(name: string): void {
  assert(
    /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/.test(name),
    `not a store name: ${JSON.stringify(name)}`,
  );
}

/** Asserts that `key` can be stored. */
export function assertKey(key: Uint8Array): void {
  assert(
    key.length > 0 && key.length <= STORE_KEY_SIZE_BYTES_MAX,
    `a key has 1 to ${STORE_KEY_SIZE_BYTES_MAX} bytes, not ${key.length}`,
  );
}

/** Asserts that the work of a transaction did not become asynchronous, which would escape it. */
export function assertSynchronous(result: unknown): void {
  const isPromise = typeof result === "object" && result !== null && "then" in result;
  assert(!isPromise, "the work of a transaction must be synchronous");
}
