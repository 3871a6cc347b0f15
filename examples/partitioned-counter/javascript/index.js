import { kv } from "enoki";

/** Adds a number to the counter; without one, only tells it. */
export async function call(input) {
  return String(input ? await kv.increment("hits", Number(input)) : await kv.get("hits", 0));
}
