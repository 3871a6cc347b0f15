/** One keygroup at two nodes: written to at one of them, watched at the other, over HTTP. */
export async function connect(first, second, { watched, others: [library] }) {
  const enoki = await import(library);
  const changes = enoki.connect(second).kv("lag").watch("");
  void (async () => {
    for await (const { value } of changes) watched(value);
  })();
  const kv = enoki.connect(first).kv("lag");
  return { write: (value) => kv.set("lag", value) };
}
