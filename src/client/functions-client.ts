import { parseFunctionName, parseNodeName } from "../core/ids.js";
import { durationMs, query } from "./options.js";
import type { Transport } from "./transport.js";
import type {
  FunctionConfig,
  FunctionInfo,
  LogEntry,
  RevisionInfo,
  SecretChanges,
  Undeployed,
} from "./types.js";

/** Manages the functions of a node. */
export class FunctionsClient {
  readonly #admin: Transport;

  constructor(admin: Transport) {
    this.#admin = admin;
  }

  /** All functions, by name. */
  async list(): Promise<readonly FunctionInfo[]> {
    const answer = await this.#admin.json<{ functions: FunctionInfo[] }>("/v1/functions");
    return answer.functions;
  }

  /** One function. @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND` */
  async get(name: string): Promise<FunctionInfo> {
    return await this.#admin.json(pathOf(name));
  }

  /**
   * Deploys a file, a folder or a zip, given as its path or as the bytes of a zip. Resolves once
   * the new revision serves on the node that was asked; the others follow, as `nodes` of
   * {@link get} tells. When it fails, the previous one keeps serving.
   */
  async deploy(
    name: string,
    source: string | Uint8Array,
    config: FunctionConfig = {},
    options: {
      readonly wait?: string;
      /** The nodes that are to run it as well: names, `NAME=VALUE` of labels, or `all`. */
      readonly to?: string;
      /** Where its data are to lie: `replicate`, or `at:NODE`. */
      readonly data?: string;
      /** Secrets that are set or, with `null`, taken away; the others stay. */
      readonly secrets?: SecretChanges;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<FunctionInfo> {
    const archive = typeof source === "string" ? await pack(source) : source;
    const form = new FormData();
    form.set("archive", new Blob([archive], { type: "application/zip" }), `${name}.zip`);
    form.set("config", jsonPart(config));
    if (options.secrets !== undefined) form.set("secrets", jsonPart(options.secrets));
    return await this.#admin.json(pathOf(name) + query({ to: options.to, data: options.data }), {
      method: "PUT",
      body: form,
      signal: options.signal,
      timeoutMs: options.wait === undefined ? 0 : durationMs("wait", options.wait),
    });
  }

  /** Removes a function; its keygroup stays unless `data` is `delete`. */
  async remove(name: string, options: { readonly data?: "keep" | "delete" } = {}): Promise<void> {
    const data = options.data === "delete" ? "delete" : undefined;
    await this.#admin.request(pathOf(name) + query({ data }), { method: "DELETE" });
  }

  /**
   * Takes a function off one node, with its replica there once another one has everything (for which
   * it waits 30 s or `wait`), or with `force` at once. `data: keep` = the replica stays.
   * @throws EnokiError `ENOKI_UNREPLICATED`, `ENOKI_LAST_REPLICA`
   */
  async removeFrom(
    name: string,
    node: string,
    options: { readonly force?: boolean; readonly wait?: string; readonly data?: "keep" } = {},
  ): Promise<Undeployed> {
    const { force, wait, data } = options;
    const path = `${pathOf(name)}/nodes/${parseNodeName(node)}`;
    const asked = query({ force: force || undefined, wait, data });
    return await this.#admin.json(path + asked, { method: "DELETE", timeoutMs: 0 });
  }

  /** The revisions that are kept, newest first. */
  async revisions(name: string): Promise<readonly RevisionInfo[]> {
    const path = `${pathOf(name)}/revisions`;
    return (await this.#admin.json<{ revisions: RevisionInfo[] }>(path)).revisions;
  }

  /** Lets an older revision serve again: `revision`, or the previous one. */
  async rollback(name: string, revision?: number): Promise<FunctionInfo> {
    const json = revision === undefined ? {} : { revision };
    return await this.#admin.json(`${pathOf(name)}/rollback`, { method: "POST", json });
  }

  /** The last `tail` lines of the log, then with `follow` each new one until `signal` aborts. */
  logs(
    name: string,
    options: {
      readonly tail?: number;
      readonly follow?: boolean;
      readonly signal?: AbortSignal;
    } = {},
  ): AsyncIterable<LogEntry> {
    const { tail, follow, signal } = options;
    const path = `${pathOf(name)}/logs${query({ tail, follow: follow || undefined })}`;
    return this.#admin.lines(path, { signal }) as AsyncIterable<LogEntry>;
  }
}

function jsonPart(value: object): Blob {
  return new Blob([JSON.stringify(value)], { type: "application/json" });
}

function pathOf(name: string): string {
  return `/v1/functions/${parseFunctionName(name)}`;
}

/** why: only a deploy from a path needs the file system, and not every program deploys. */
async function pack(path: string): Promise<Uint8Array> {
  const { packFolder } = await import("../archive/pack.js");
  return await packFolder(path);
}
