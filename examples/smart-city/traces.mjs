// A collector for the spans of the nodes, as OpenTelemetry has them, and a way to show one request as a tree.
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const NS_PER_MS = 1e6;
const LOOK_MS = 50;
const WAIT_MS = 20_000;
const TELL_MS = 1500;

/** Keeps all spans that it is told of. */
export class Traces {
  #spans = [];
  #server = createServer((request, response) => void this.#answer(request, response));

  /** Listens, and returns the address for `enoki up --otlp`. */
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The lines of a trace, once spans with all of these names have come, and those that they are parts of. */
  async tree(traceId, names) {
    for (const startMs = performance.now(); performance.now() - startMs < WAIT_MS;) {
      const spans = this.#spans.filter((span) => span.traceId === traceId);
      const ids = new Set(spans.map(({ spanId }) => spanId));
      const roots = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId));
      const isWhole = names.every((name) => spans.some((span) => span.name === name));
      if (isWhole && roots.length === 1) return this.#rest(traceId, roots[0]);
      await pause(LOOK_MS);
    }
    throw new Error("the spans of the request have not come");
  }

  /** The same with what came last: nodes tell of their spans once a second. */
  async #rest(traceId, root) {
    await pause(TELL_MS);
    const spans = this.#spans.filter((span) => span.traceId === traceId);
    return linesOf(spans, root);
  }

  async close() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request, response) {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    for (const { resource, scopeSpans } of JSON.parse(text).resourceSpans) {
      const node = resource.attributes.find(({ key }) => key === "service.name").value.stringValue;
      for (const { spans } of scopeSpans) this.#spans.push(...spans.map((s) => ({ ...s, node })));
    }
    response.setHeader("content-type", "application/json").end("{}");
  }
}

/** A line per span, each below the one that it is a part of: when it began, how long it took, where and what. */
function linesOf(spans, root) {
  const ms = (nanoseconds) => Number(nanoseconds) / NS_PER_MS;
  const since = (at) => Number(BigInt(at) - BigInt(root.startTimeUnixNano)) / NS_PER_MS;
  const show = (span, depth) => {
    const { spanId, name, node, startTimeUnixNano: start, endTimeUnixNano: end } = span;
    const tookMs = ms(BigInt(end) - BigInt(start)).toFixed(1);
    const times = `${since(start).toFixed(1).padStart(8)} ${tookMs.padStart(8)}`;
    const below = spans
      .filter(({ parentSpanId }) => parentSpanId === spanId)
      .sort((a, b) => since(a.startTimeUnixNano) - since(b.startTimeUnixNano));
    return [
      `${times}  ${"  ".repeat(depth)}${node}: ${name}`,
      ...below.flatMap((part) => show(part, depth + 1)),
    ];
  };
  return show(root, 0);
}
