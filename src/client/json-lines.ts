/** Cuts text in UTF-8 into lines as it arrives; the last one need not end in a newline. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() as string;
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

/**
 * Reads a body of one JSON document per line as it arrives. Empty lines, which keep a quiet
 * connection open, are skipped. Ending the loop early ends the request.
 */
export async function* readJsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  for await (const line of readLines(body)) {
    if (line.trim() !== "") yield JSON.parse(line) as unknown;
  }
}
