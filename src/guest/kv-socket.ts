import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isErrorCode, EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { Calls } from "./calls.js";
import type { Kv, Stored, Value } from "./types.js";

/**
 * Serves `kv` over HTTP on a Unix socket, so that any program can use it:
 * `curl --unix-socket $ENOKI_KV_SOCKET http://kv/keys/NAME`. Returns the socket's path.
 *
 * GET, PUT and DELETE on `/keys/NAME`; `POST /keys/NAME?increment=N`; `GET /keys?prefix=P` lists
 * keys. The same below `/keygroups/NAME/` is about another keygroup, where the function was granted the
 * right. A PUT's content type decides as that of a call does: JSON, text (also forms and none), or
 * bytes; `?ttl=10m`, `If-Match: VERSION` and `If-None-Match: *` work as in `set`. With the header
 * `Enoki-Invocation-Id` a write is attributed to that invocation where several run at once.
 */
export function serveKv(kv: Kv, calls: Calls): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), "enoki-kv-")), "kv.sock");
  const server = createServer((request, response) => {
    const invocationId = request.headers["enoki-invocation-id"];
    const callId = calls.idOf(typeof invocationId === "string" ? invocationId : undefined);
    calls.runAs(callId, () => {
      answer(kv, request, response).catch((error: unknown) => answerError(response, error));
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve(path));
  });
}

/** `/keys`, `/keys/NAME`, and both below `/keygroups/NAME`. */
const PATH = /^(?:\/keygroups\/([^/]+))?\/keys(?:\/(.+))?$/;

async function answer(own: Kv, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://kv");
  const [path, keygroup, name] = PATH.exec(url.pathname) ?? [];
  if (path === undefined || (name === undefined && request.method !== "GET")) {
    throw new EnokiError("ENOKI_NOT_FOUND", "use /keys/NAME or /keygroups/NAME/keys/NAME");
  }
  const kv = keygroup === undefined ? own : own.keygroup(decodeURIComponent(keygroup));
  if (name === undefined) {
    const keys = await kv.keys({ prefix: url.searchParams.get("prefix") ?? "" }).toArray();
    return answerJson(response, keys);
  }
  const key = decodeURIComponent(name);
  switch (request.method) {
    case "GET":
      return answerValue(response, await kv.entry(key));
    case "PUT": {
      const version = await put(kv, key, url, request);
      response.writeHead(204, { etag: `"${version}"` }).end();
      return;
    }
    case "DELETE":
      response.writeHead((await kv.delete(key)) ? 204 : 404).end();
      return;
    case "POST":
      return answerJson(response, await kv.increment(key, increment(url)));
    default:
      throw new EnokiError("ENOKI_METHOD_NOT_ALLOWED", "use GET, PUT, POST or DELETE");
  }
}

async function put(kv: Kv, key: string, url: URL, request: IncomingMessage): Promise<string> {
  const ttl = url.searchParams.get("ttl");
  const ifMatch = request.headers["if-match"];
  return kv.set(key, toValue(await readBody(request), request.headers["content-type"] ?? ""), {
    ...(ttl === null ? {} : { ttl }),
    ...(ifMatch === undefined ? {} : { ifVersion: ifMatch.replace(/^"|"$/g, "") }),
    ifAbsent: request.headers["if-none-match"] === "*",
  });
}

function toValue(body: Buffer, contentType: string): Value {
  const type = (contentType.split(";")[0] as string).trim().toLowerCase();
  if (type === "application/json") return parseJson(body);
  const isText = type === "" || type.startsWith("text/") || type.endsWith("-urlencoded");
  return isText ? body.toString("utf8") : body;
}

function parseJson(body: Buffer): Value {
  try {
    return JSON.parse(body.toString("utf8")) as Value;
  } catch {
    throw new EnokiError("ENOKI_INVALID_INPUT", "the body is not JSON");
  }
}

function increment(url: URL): number {
  const text = url.searchParams.get("increment");
  if (text === null || text === "") throw new EnokiError("ENOKI_INVALID_INPUT", "say ?increment=N");
  return Number(text);
}

function answerValue(
  response: ServerResponse,
  entry: { readonly value: Stored; readonly version: string } | undefined,
): void {
  if (!entry) throw new EnokiError("ENOKI_KEY_NOT_FOUND");
  const { value, version } = entry;
  const isBytes = value instanceof Uint8Array;
  const text = typeof value === "string" ? "text/plain; charset=utf-8" : "application/json";
  const contentType = isBytes ? "application/octet-stream" : text;
  response.writeHead(200, { etag: `"${version}"`, "content-type": contentType });
  response.end(isBytes || typeof value === "string" ? value : JSON.stringify(value));
}

function answerJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function answerError(response: ServerResponse, error: unknown): void {
  const { code } = error as { code?: unknown };
  const known = error instanceof EnokiError && isErrorCode(code) ? error : undefined;
  const detail = error instanceof Error ? error.message : String(error);
  response.writeHead(known?.status ?? 500, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ code: known?.code ?? "ENOKI_INTERNAL", detail }));
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    sizeBytes += (chunk as Buffer).length;
    if (sizeBytes > LIMITS.valueSizeBytesMax) throw new EnokiError("ENOKI_VALUE_TOO_LARGE");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
