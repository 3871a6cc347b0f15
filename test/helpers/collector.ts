import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Nodes export each second; on a machine that others use, too, it takes longer. */
const SPANS_TIMEOUT_MS = 60_000;

/** A span as a collector sees it. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly status?: { readonly code: number; readonly message: string };
  /** Name of the node. */
  readonly node: string;
}

interface Attribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string;
    readonly doubleValue?: number;
    readonly boolValue?: boolean;
  };
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<CollectedSpan, "attributes" | "node"> & {
        readonly attributes: readonly Attribute[];
      })[];
    }[];
  }[];
}

/** An OpenTelemetry collector in this process, for bodies in JSON. */
export class TestCollector {
  readonly spans: CollectedSpan[] = [];
  /** Headers of each request. */
  readonly requests: (NodeJS.Dict<string | string[]> & { readonly path: string })[] = [];
  /** What it answers, if it does; spans of other answers than 200 are not kept. */
  answer: { status: number; body?: string; headers?: Record<string, string> } | undefined = {
    status: 200,
  };
  readonly port: number;
  readonly #waiting = new Set<() => void>();
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Listens, at a port of before or any free one. */
  static async start(port = 0): Promise<TestCollector> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    const collector = new TestCollector(server);
    server.on("request", (request, response) => {
      let text = "";
      request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      request.on("end", () => {
        collector.requests.push({ ...request.headers, path: request.url ?? "" });
        if (!collector.answer) return;
        const { status, body = "{}", headers = {} } = collector.answer;
        if (status === 200) collector.#take(JSON.parse(text) as ExportRequest);
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
        for (const look of collector.#waiting) look();
      });
    });
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves as soon as `found` gives something, which is looked for after each request. */
  async when<T>(found: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const look = (): void => {
        const something = found();
        if (something === undefined) return;
        this.#waiting.delete(look);
        resolve(something);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The spans of a trace, once there are so many with these names among them. @throws Error that names what did not come */
  async trace(traceId: string, names: readonly string[]): Promise<readonly CollectedSpan[]> {
    const ofTrace = () => this.spans.filter((span) => span.traceId === traceId);
    const missing = (): string[] => {
      const there = ofTrace().map(nameOf);
      return names.filter((name) => count(names, name) > count(there, name));
    };
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`no span came of: ${missing().join(", ")}`)),
        SPANS_TIMEOUT_MS,
      );
    });
    const found = this.when(() => (missing().length === 0 ? ofTrace() : undefined));
    return Promise.race([found, tooLate]).finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  #take({ resourceSpans }: ExportRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const node = String(valuesOf(resource.attributes)["service.instance.id"]);
      for (const { spans } of scopeSpans) {
        for (const { attributes, ...span } of spans) {
          this.spans.push({ ...span, attributes: valuesOf(attributes), node });
        }
      }
    }
  }
}

/** The spans as lines, each below its parent: `node: name`. Those of one parent in order of their start. */
export function treeOf(spans: readonly CollectedSpan[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const show = (parent: string | undefined, depth: number): string[] =>
    spans
      .filter(
        ({ parentSpanId: id }) => (id !== undefined && ids.has(id) ? id : undefined) === parent,
      )
      .sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)))
      .flatMap(({ node, name, spanId }) => [
        `${"  ".repeat(depth)}${node}: ${name}`,
        ...show(spanId, depth + 1),
      ]);
  return show(undefined, 0);
}

function nameOf({ name }: CollectedSpan): string {
  return name;
}

function count(names: readonly string[], name: string): number {
  return names.filter((one) => one === name).length;
}

function valuesOf(attributes: readonly Attribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? doubleValue ?? boolValue ?? Number(intValue),
    ]),
  );
}
