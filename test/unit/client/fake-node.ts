import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as the fake node got it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

type Answer = (request: SeenRequest, response: ServerResponse) => unknown;

/** A stand-in for a node: answers what a test tells it to, and keeps what it was asked. */
export interface FakeNode {
  readonly url: string;
  readonly requests: SeenRequest[];
  /** Answers `METHOD /path` (without the query); the latest rule for a path wins. */
  on(rule: string, answer: Answer): void;
  close(): Promise<void>;
}

/** Starts a {@link FakeNode} on a free port; both of a node's ports are this one. */
export async function startFakeNode(): Promise<FakeNode> {
  const rules = new Map<string, Answer>();
  const requests: SeenRequest[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { method = "", url = "", headers } = request;
      const seen = { method, url, headers, body: Buffer.concat(chunks) };
      requests.push(seen);
      const answer = rules.get(`${method} ${url.split("?", 1)[0]}`);
      if (answer) await answer(seen, response);
      else problem(response, 404, "ENOKI_NOT_FOUND", `nothing at ${method} ${url}`);
    })();
  });
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const node: FakeNode = {
    url,
    requests,
    on: (rule, answer) => void rules.set(rule, answer),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  node.on("GET /v1/node", (_, response) =>
    json(response, 200, { name: "fake", version: "0", addresses: { functions: url, admin: url } }),
  );
  return node;
}

/** Answers with JSON. */
export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** Answers with a problem document. */
export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  detail: string,
  extra: object = {},
): void {
  const body = JSON.stringify({
    type: `/errors/${code}`,
    title: "t",
    status,
    detail,
    code,
    ...extra,
  });
  response.writeHead(status, { "content-type": "application/problem+json" }).end(body);
}

/** Answers with lines of JSON. */
export function lines(response: ServerResponse, values: readonly unknown[]): void {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.end(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
}
