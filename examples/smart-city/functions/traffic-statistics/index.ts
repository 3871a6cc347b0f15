import { kv } from "enoki";

/**
 * Counts what was seen, and keeps each count with its time. Messages may come twice; `once` lets
 * each count only once.
 */
export async function call(
  { objects }: { readonly objects: readonly { readonly type: string }[] },
  { idempotencyKey }: { readonly idempotencyKey: string },
) {
  const counts: Record<string, number> = {};
  for (const { type } of objects) counts[type] = (counts[type] ?? 0) + 1;
  const batch = kv.batch().set(`at/${new Date().toISOString()}/${idempotencyKey}`, counts);
  for (const [type, count] of Object.entries(counts)) batch.increment(`total/${type}`, count);
  await batch.increment("pictures").once(idempotencyKey).commit();
  return counts;
}
