/** What this process has in its memory after a full collection, in bytes. Needs --expose-gc. */
export function bytesInUse(): { heap: number; external: number } {
  if (!globalThis.gc) throw new Error("run with --expose-gc");
  for (let i = 0; i < 3; i++) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, external };
}
