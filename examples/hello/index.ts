import { kv } from "enoki";

/** Greets the caller and counts how often it has done so. */
export async function call(name: string): Promise<string> {
  const calls = await kv.increment("calls");
  return `Hello ${name || "world"}, this is call number ${calls}.\n`;
}
