/**
 * Reads a body of one JSON document per line as it arrives. Empty lines, which keep a quiet
 * connection open, are skipped. Ending the loop early ends the request.
 */
export async function* readJsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) {
      if (line.trim() !== "") yield JSON.parse(line) as unknown;
    }
  }
  if (rest.trim() !== "") yield JSON.parse(rest) as unknown;
}
