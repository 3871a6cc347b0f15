/** A primary that is written to, and the notifications of its replica, which carry no values. */
import { createClient } from "redis";

const REPLICATED_TIMEOUT_MS = 10_000;

export async function connect(primaryUrl, replicaUrl, { watched }) {
  const primary = createClient({ url: primaryUrl });
  const watcher = createClient({ url: replicaUrl });
  for (const client of [primary, watcher]) {
    client.on("error", () => {});
    await client.connect();
  }
  await watcher.subscribe("__keyspace@0__:lag", () => watched());
  // Waits until one replica has what was written.
  await primary.set("ready", "yes");
  await primary.wait(1, REPLICATED_TIMEOUT_MS);
  return { write: (value) => primary.set("lag", value) };
}
