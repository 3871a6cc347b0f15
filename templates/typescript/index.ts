import { kv } from "enoki";

export async function call(name: string): Promise<string> {
  const visits = await kv.increment("visits");
  return `Hello, ${name || "World"}! You are visitor number ${visits}.\n`;
}
