import type { Case } from "./cases.js";
import type { Step, StepResult } from "./drivers/driver.js";
import { decodeSpecial, encode, isSpecial } from "./drivers/values.js";
import { jsonText, textOf } from "./json-text.js";

/** Names of steps and of their operations in `POST …/operations`. */
const JSON_OPERATIONS: Readonly<Record<string, string>> = {
  increment: "increment",
  counterAdd: "counter.add",
  counterValue: "counter.value",
  setAdd: "set.add",
  setRemove: "set.remove",
  setValue: "set.value",
  mapSet: "map.set",
  mapAdd: "map.add",
  mapRemove: "map.remove",
  mapValue: "map.value",
};

const FILL_GROUP = 500;

/** An answer that is a problem document. */
class Problem extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

type TypedJson = { readonly t: string; readonly v: unknown };

/** Runs cases as plain HTTP requests to the admin port. */
export class RestDoor {
  readonly #url: string;
  readonly #saved = new Map<string, string>();

  constructor(adminUrl: string, keygroup: string) {
    this.#url = `${adminUrl}/v1/keygroups/${keygroup}`;
  }

  async run({ steps }: Case, keep = false): Promise<StepResult[]> {
    this.#saved.clear();
    if (!keep) await this.#clear();
    const results: StepResult[] = [];
    for (const step of steps) results.push(await this.#step(step));
    return results;
  }

  async #clear(): Promise<void> {
    const keys = (await this.#all({}, false)).map(({ key }) => key);
    for (let at = 0; at < keys.length; at += FILL_GROUP) {
      const writes = keys.slice(at, at + FILL_GROUP).map((key) => ({ op: "delete", key }));
      await this.#operation({ op: "batch", writes });
    }
  }

  async #step(step: Step): Promise<StepResult> {
    try {
      return { ok: await this.#do(step) };
    } catch (error) {
      return { error: error instanceof Problem ? error.code : String((error as Error).stack) };
    }
  }

  async #do(step: Step): Promise<unknown> {
    const operation = JSON_OPERATIONS[step.op];
    if (operation !== undefined) return this.#jsonStep(operation, step);
    switch (step.op) {
      case "get":
      case "entry":
        return this.#read(step);
      case "set":
        return this.#set(step);
      case "delete":
        return (await this.#json("DELETE", this.#key(step))) as unknown;
      case "exists":
        return (await this.#send("HEAD", this.#key(step))).status === 200;
      case "length":
        return this.#length(step);
      case "same":
        return this.#saved.get(textOf(step["left"])) === this.#saved.get(textOf(step["right"]));
      case "untilMissing":
        return this.#untilMissing(step);
      case "watch":
        return this.#watch(step);
      default:
        return this.#many(step);
    }
  }

  async #many(step: Step): Promise<unknown> {
    const count = Number(step["count"]);
    const names = Array.from(
      { length: Number.isNaN(count) ? 0 : count },
      (_, n) => `${textOf(step["prefix"])}${String(n).padStart(5, "0")}`,
    );
    switch (step.op) {
      case "scan":
        return (await this.#all(step, true)).map(({ key, value }) => [key, shown(value)]);
      case "keys":
        return (await this.#all(step, false)).map(({ key }) => key);
      case "ends": {
        const items = await this.#all(step, step["values"] === true);
        return { count: items.length, first: items[0]?.key, last: items.at(-1)?.key };
      }
      case "fill":
        for (let at = 0; at < count; at += FILL_GROUP) {
          await this.#fill(names.slice(at, at + FILL_GROUP), at);
        }
        return undefined;
      case "batchFilled":
        return this.#fill(names, 0);
      case "getMany":
        return this.#getMany(step["keys"] as string[]);
      case "getManyFilled":
        return Object.keys(await this.#getMany(names)).length;
      case "siblings": {
        const { values } = await this.#operation({ op: "siblings", key: step["key"] });
        return (values as TypedJson[]).map(shown);
      }
      case "batch":
        return this.#batch(step);
      default:
        throw new Error(`no such step: ${step.op}`);
    }
  }

  async #jsonStep(op: string, step: Step): Promise<unknown> {
    const { key, n, member, field, value } = step;
    const isAmount = /increment|add$/.test(op) && op !== "set.add";
    const amount = isAmount ? { n: n ?? 1 } : {};
    const answer = await this.#operation({ op, key, member, field, value, ...amount });
    return answer["value"];
  }

  async #read(step: Step): Promise<unknown> {
    const response = await this.#send("GET", this.#key(step));
    if (response.status === 404 && (await code(response)) === "ENOKI_KEY_NOT_FOUND") {
      return step.op === "get" && "default" in step ? step["default"] : encode(undefined);
    }
    await check(response);
    const type = response.headers.get("content-type") ?? "";
    const body = new Uint8Array(await response.arrayBuffer());
    const value = valueOf(type, body);
    const version = (response.headers.get("etag") ?? "").replaceAll('"', "");
    if (step.op === "get") return encode(value);
    this.#save(step, version);
    const expiresAt = response.headers.get("enoki-expires-at");
    const leftMs = expiresAt === null ? null : Date.parse(expiresAt) - Date.now();
    return { value: encode(value), version, leftMs };
  }

  async #length(step: Step): Promise<number> {
    const response = await check(await this.#send("GET", this.#key(step)));
    const value = valueOf(
      response.headers.get("content-type") ?? "",
      new Uint8Array(await response.arrayBuffer()),
    );
    return (value as { length: number }).length;
  }

  async #set(step: Step): Promise<string> {
    const { type, body } = bodyOf(step["value"]);
    const headers = new Headers({ "content-type": type });
    if ("ttl" in step) headers.set("enoki-ttl", textOf(step["ttl"]));
    if ("ifVersion" in step) headers.set("if-match", `"${this.#version(step["ifVersion"])}"`);
    if (step["ifAbsent"] === true) headers.set("if-none-match", "*");
    const response = await this.#send("PUT", this.#key(step), { headers, body });
    const { version } = (await (await check(response)).json()) as { version: string };
    this.#save(step, version);
    return version;
  }

  async #batch(step: Step): Promise<unknown> {
    const checks = ((step["checks"] ?? []) as Step[]).map(({ key, version }) => ({
      key,
      version: version === null ? null : this.#version(version),
    }));
    const writes = (step["writes"] as Step[]).map(({ op, key, value, ttl, n }) => {
      if (op === "delete") return { op, key };
      if (op === "increment") return { op, key, n: n ?? 1 };
      return { op, key, value: typed(value), ...(ttl === undefined ? {} : { ttlMs: 600_000 }) };
    });
    const answer = await this.#operation({ op: "batch", checks, writes, once: step["once"] });
    const [version] = answer["versions"] as string[];
    if (version) this.#save(step, version);
    return answer;
  }

  async #watch(step: Step): Promise<unknown> {
    const range = new URLSearchParams();
    for (const name of ["start", "prefix"]) if (name in step) range.set(name, textOf(step[name]));
    const response = await check(await this.#send("GET", `/watch?${range}`));
    const lines = linesOf(response);
    for (const write of step["writes"] as Step[]) {
      const result = await this.#step(write);
      if ("error" in result && result.error !== write["error"]) throw new Error(result.error);
    }
    const seen: unknown[] = [];
    while (seen.length < Number(step["count"])) {
      const { value: line } = await lines.next();
      const { key, value } = JSON.parse(line as string) as { key: string; value: TypedJson | null };
      seen.push([key, value === null ? { $: "deleted" } : shown(value)]);
    }
    await lines.return(undefined);
    return seen;
  }

  async #untilMissing(step: Step): Promise<boolean> {
    const endMs = performance.now() + 10_000;
    while (performance.now() < endMs) {
      if ((await this.#send("HEAD", this.#key(step))).status === 404) return true;
    }
    return false;
  }

  async #getMany(keys: readonly string[]): Promise<Record<string, unknown>> {
    const answer = await this.#operation({ op: "getMany", keys });
    const values = answer["values"] as (TypedJson | null)[];
    const found = keys.map((key, i) => [key, values[i]] as const).filter(([, value]) => value);
    return Object.fromEntries(found.map(([key, value]) => [key, shown(value as TypedJson)]));
  }

  async #fill(names: readonly string[], from: number): Promise<void> {
    const writes = names.map((key, i) => ({ op: "set", key, value: { t: "json", v: from + i } }));
    await this.#operation({ op: "batch", writes });
  }

  async #all(
    range: Readonly<Record<string, unknown>>,
    withValues: boolean,
  ): Promise<{ key: string; value: TypedJson }[]> {
    const items: { key: string; value: TypedJson }[] = [];
    let left = range["limit"] === undefined ? Infinity : Number(range["limit"]);
    for (let after: string | null = null; ;) {
      const query = new URLSearchParams();
      for (const name of ["start", "end", "prefix", "reverse"]) {
        if (name in range) query.set(name, textOf(range[name]));
      }
      if (left !== Infinity) query.set("limit", String(left));
      if (withValues) query.set("values", "true");
      if (after !== null) query.set("after", after);
      const page = await check(await this.#send("GET", `/keys?${query}`));
      const { items: some, next } = (await page.json()) as { items: never[]; next: string | null };
      items.push(...some);
      left -= some.length;
      if (next === null || left === 0) return items;
      after = next;
    }
  }

  async #operation(request: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const headers = new Headers({ "content-type": "application/json" });
    const body = jsonText(request);
    const response = await this.#send("POST", "/operations", { headers, body });
    return (await (await check(response)).json()) as Record<string, unknown>;
  }

  async #json(method: string, path: string): Promise<unknown> {
    const answer = (await (await check(await this.#send(method, path))).json()) as object;
    return "existed" in answer ? answer.existed : answer;
  }

  async #send(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.#url + path, { ...init, method });
  }

  #key(step: Step): string {
    return `/keys/${encodeURIComponent(textOf(step["key"]))}`;
  }

  #version(said: unknown): string {
    const isSaved = typeof said === "object" && said !== null && isSpecial(said);
    return isSaved ? (this.#saved.get(textOf(said["name"])) ?? "") : textOf(said);
  }

  #save(step: Step, version: string): void {
    if ("as" in step) this.#saved.set(textOf(step["as"]), version);
  }
}

async function code(response: Response): Promise<string> {
  return ((await response.clone().json()) as { code: string }).code;
}

async function check(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw new Problem(await code(response));
}

function shown({ t, v }: TypedJson): unknown {
  return t === "bytes" ? { $: "bytes", v } : v;
}

function valueOf(type: string, body: Uint8Array): unknown {
  if (type === "application/octet-stream") return body;
  // ignoreBOM: a byte order mark is part of the text.
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  return type.startsWith("text/") ? text : (JSON.parse(text) as unknown);
}

/** A value of a case as the body of a PUT. */
export function bodyOf(value: unknown): { type: string; body: string | Uint8Array<ArrayBuffer> } {
  const plain = typeof value === "object" && value !== null && isSpecial(value);
  const special = plain ? decodeSpecial(value) : value;
  if (special instanceof Uint8Array) {
    return { type: "application/octet-stream", body: special as Uint8Array<ArrayBuffer> };
  }
  if (typeof special === "string") return { type: "text/plain; charset=utf-8", body: special };
  return { type: "application/json", body: jsonText(value) };
}

function typed(value: unknown): unknown {
  const { type, body } = bodyOf(value);
  if (type.startsWith("text/")) return { t: "str", v: body };
  if (typeof body !== "string") return { t: "bytes", v: Buffer.from(body).toString("base64") };
  return { t: "json", v: value };
}

async function* linesOf(response: Response): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() as string;
    for (const line of lines) if (line !== "") yield line;
  }
}
