import { kv } from "enoki";

const VALUE = "x".repeat(100);
let calls = 0;

/** Sets one of a thousand keys to a value of 100 B. */
export async function call() {
  calls = (calls + 1) % 1000;
  await kv.set(`key/${calls}`, VALUE);
  return "ok";
}
