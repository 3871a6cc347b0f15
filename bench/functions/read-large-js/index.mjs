import { kv } from "enoki";

/** Reads the value `large` and drops it; answers how long it was. */
export async function call() {
  const value = await kv.get("large");
  return String(value.length);
}
