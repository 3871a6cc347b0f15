import { request as httpRequest, type Agent, type IncomingHttpHeaders } from "node:http";

import { writeZip } from "../../src/archive/zip-writer.js";
import type { FunctionConfig, FunctionInfo } from "../../src/client/types.js";
import type { RunningNode } from "./running-node.js";

/** Files of a function: relative path → text or bytes. `fn.sh` becomes executable. */
export type FunctionFiles = Readonly<Record<string, string | Uint8Array>>;

/** The zip that a deploy sends. */
export function zipFiles(files: FunctionFiles): Buffer {
  return writeZip(
    Object.entries(files).map(([path, data]) => ({
      path,
      data: Buffer.from(data as string),
      executable: path.endsWith(".sh"),
    })),
  );
}

/** Deploys a function from its files. */
export function deployFiles(
  running: RunningNode,
  name: string,
  files: FunctionFiles,
  config: FunctionConfig = {},
): Promise<FunctionInfo> {
  return running.client.functions.deploy(name, zipFiles(files), config);
}

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value … as sent. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
}

/** What is sent; without a method a GET, or a POST if there is a body. */
export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent;
}

/** Sends `path` exactly as given, without the clean-up that `fetch` does. */
export function send(base: string, path: string, sent: Sent = {}): Promise<Answer> {
  const { hostname, port } = new URL(base);
  const { body, agent, headers = {} } = sent;
  const method = sent.method ?? (body === undefined ? "GET" : "POST");
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { hostname, port, path, method, agent: agent ?? false, headers: { ...length, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const bytes = Buffer.concat(chunks);
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            rawHeaders: response.rawHeaders,
            body: bytes,
            text: bytes.toString("utf8"),
          });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** A problem document, with the status and content type that it came with. */
export function problemOf(answer: Answer): Record<string, unknown> {
  const type = answer.headers["content-type"];
  if (type !== "application/problem+json") throw new Error(`${type}: ${answer.text}`);
  const problem = JSON.parse(answer.text) as Record<string, unknown>;
  if (problem["status"] !== answer.status)
    throw new Error(`status ${answer.status}: ${answer.text}`);
  return problem;
}

/** Asks again and again until there is an answer other than `undefined` and `false`. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found as T;
    if (performance.now() > endMs) throw new Error(`in vain for ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
