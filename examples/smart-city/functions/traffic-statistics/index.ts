import { kv } from "enoki";

/**
 * Counts what was seen, and keeps each count with its time. Messages may come twice; `once` lets
 * each count only once.
 */
export async function call(
  { objects }: { readonly objects: readonly { readonly type: string }[] },
  ctx: { readonly idempotencyKey: string; readonly invocationId: string },
) {
  // A message has a key; a call over HTTP may come without.
  const once = ctx.idempotencyKey || ctx.invocationId;
  const counts: Record<string, number> = {};
  for (const { type } of objects) counts[type] = (counts[type] ?? 0) + 1;
  const batch = kv.batch().set(`at/${new Date().toISOString()}/${once}`, counts);
  for (const [type, count] of Object.entries(counts)) batch.increment(`total/${type}`, count);
  await batch.increment("pictures").once(once).commit();
  return counts;
}
