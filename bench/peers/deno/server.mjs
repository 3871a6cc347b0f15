/** Deno with Deno KV in a file. */
const [work, path, valueBytes] = Deno.args;
/** A value has at most 64 KiB, so a larger one is kept in parts. */
const PART_BYTES = 60_000;

const kv = work === "no-op" ? undefined : await Deno.openKv(path);

const WORK = {
  "no-op": () => new Response("ok"),

  async average(request) {
    const reading = Number(await request.text());
    const { value } = await kv.get(["latest"]);
    const latest = Number(value ?? "-1") + 1;
    await kv
      .atomic()
      .set(["reading", latest % 10], reading)
      .set(["latest"], String(latest))
      .commit();
    const readings = [];
    for await (const { value } of kv.list({ prefix: ["reading"] })) readings.push(value);
    const average = readings.reduce((a, b) => a + b, 0) / readings.length;
    return Response.json({ count: latest + 1, average });
  },

  async read() {
    let length = 0;
    for await (const { value } of kv.list({ prefix: ["large"] })) length += value.length;
    return new Response(String(length));
  },
};

if (kv) {
  for (let i = 0; i < 10; i++) await kv.set(["reading", i], 20 + i);
  await kv.set(["latest"], "9");
  const large = new Uint8Array(Number(valueBytes)).fill(7);
  for (let at = 0; at < large.length; at += PART_BYTES) {
    await kv.set(["large", at], large.slice(at, at + PART_BYTES));
  }
}

Deno.serve(
  {
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/`),
  },
  WORK[work],
);
