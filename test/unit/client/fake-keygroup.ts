import type { ServerResponse } from "node:http";

import { json, problem, type FakeNode, type SeenRequest } from "./fake-node.js";

interface Stored {
  readonly contentType: string;
  readonly body: Buffer;
  readonly version: string;
  readonly ttl: string | undefined;
}

/** Answers for the keys of one keygroup that a test names beforehand, with conditions and versions. */
export class FakeKeygroup {
  readonly stored = new Map<string, Stored>();
  #lastVersion = 0;

  constructor(node: FakeNode, name: string, keys: readonly string[]) {
    for (const key of keys) {
      const path = `/v1/keygroups/${name}/keys/${encodeURIComponent(key)}`;
      node.on(`GET ${path}`, (_, response) => this.#get(key, response, true));
      node.on(`HEAD ${path}`, (_, response) => this.#get(key, response, false));
      node.on(`PUT ${path}`, (request, response) => this.#put(key, request, response));
      node.on(`DELETE ${path}`, (_, response) =>
        json(response, 200, { existed: this.stored.delete(key) }),
      );
    }
    node.on(`POST /v1/keygroups/${name}/operations`, (request, response) =>
      this.#operate(JSON.parse(request.body.toString()) as Operation, response),
    );
  }

  /** Stores a value as somebody else would, and returns its version. */
  store(key: string, contentType: string, body: string | Uint8Array, ttl?: string): string {
    this.#lastVersion += 1;
    const version = `v${this.#lastVersion}`;
    this.stored.set(key, { contentType, body: Buffer.from(body), version, ttl });
    return version;
  }

  #get(key: string, response: ServerResponse, hasBody: boolean): void {
    const found = this.stored.get(key);
    if (!found) {
      if (hasBody) problem(response, 404, "ENOKI_KEY_NOT_FOUND", `no key ${key}`);
      else response.writeHead(404).end();
      return;
    }
    const headers = { "content-type": found.contentType, etag: `"${found.version}"` };
    const expiry = found.ttl ? { "enoki-expires-at": "2030-01-02T03:04:05.678Z" } : {};
    response.writeHead(200, { ...headers, ...expiry }).end(hasBody ? found.body : undefined);
  }

  #put(key: string, { headers, body }: SeenRequest, response: ServerResponse): void {
    const version = this.stored.get(key)?.version;
    const isAbsentNeeded = headers["if-none-match"] === "*";
    const needed = headers["if-match"];
    if ((isAbsentNeeded && version) || (needed && needed !== `"${version}"`)) {
      problem(response, 412, "ENOKI_VERSION_CONFLICT", "another version");
      return;
    }
    const ttl = headers["enoki-ttl"] as string | undefined;
    json(response, 200, {
      version: this.store(key, headers["content-type"] ?? "", body, ttl),
    });
  }

  #operate(operation: Operation, response: ServerResponse): void {
    if (operation.op === "increment" || operation.op === "counter.add") {
      const value = Number(this.stored.get(operation.key)?.body ?? 0) + operation.n;
      const version = this.store(operation.key, "application/json", String(value));
      json(response, 200, { value, version });
    } else if (operation.op === "batch") {
      const conflict = operation.checks.find(
        ({ key, version }) => (this.stored.get(key)?.version ?? null) !== version,
      );
      if (conflict) return problem(response, 412, "ENOKI_VERSION_CONFLICT", conflict.key);
      for (const write of operation.writes)
        if (write.op === "delete") this.stored.delete(write.key);
      json(response, 200, { versions: operation.writes.map(() => null), repeated: false });
    } else {
      json(response, 200, {
        values: [
          { t: "str", v: "a" },
          { t: "bytes", v: "AQI=" },
        ],
        value: 7,
      });
    }
  }
}

type Operation =
  | { op: "increment" | "counter.add"; key: string; n: number }
  | {
      op: "batch";
      checks: { key: string; version: string | null }[];
      writes: { op: string; key: string }[];
    }
  | { op: "siblings" };
