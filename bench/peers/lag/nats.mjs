/** A bucket at the hub that is written to, and a watch of its mirror at the leaf. */
import { Kvm } from "@nats-io/kv";
import { connect as connectTo } from "@nats-io/transport-node";

const BUCKET = "lag";

export async function connect(hub, leaf, { watched }) {
  const bucket = await new Kvm(await connectTo({ servers: hub })).create(BUCKET);
  const mirror = await new Kvm(await connectTo({ servers: leaf })).create(BUCKET, {
    mirror: { name: BUCKET, domain: "hub" },
  });
  const watch = await mirror.watch();
  void (async () => {
    for await (const entry of watch) watched(entry.string());
  })();
  return { write: (value) => bucket.put("lag", value) };
}
