import { EnokiError } from "../core/errors.js";
import type { Value } from "../guest/types.js";
import { Calls, type CallOptions, type CallResponse, type SentInvocation } from "./calls.js";
import { FunctionsClient } from "./functions-client.js";
import { InvocationsClient } from "./invocations-client.js";
import { KeygroupClient } from "./keygroup.js";
import { KeygroupsClient } from "./keygroups-client.js";
import { Transport } from "./transport.js";
import type { NodeInfo } from "./types.js";

/** Where a node is, and how to talk to it. */
export interface ClientOptions {
  /** Address of the admin port, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Address of the function port; without it the node is asked once. */
  readonly functionsUrl?: string;
  /** The node's token, if it has one. */
  readonly token?: string;
  /** Token for calls with `functionsUrl`; otherwise the node's token is sent where it is asked for. */
  readonly functionsToken?: string;
  /** Gives up on an answer after this time; never unless said. Streams and deploys go on. */
  readonly timeoutMs?: number;
}

/** A node, seen from outside. Every failure is an `EnokiError` with a `code`. */
export class Client {
  /** Address of the admin port. */
  readonly url: string;
  readonly functions: FunctionsClient;
  readonly keygroups: KeygroupsClient;
  readonly invocations: InvocationsClient;
  readonly #options: ClientOptions;
  readonly #admin: Transport;
  readonly #calls: Calls;
  #functionPort: Promise<Transport> | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#admin = new Transport(options.url, options.token, options.timeoutMs);
    this.url = this.#admin.url;
    this.functions = new FunctionsClient(this.#admin);
    this.keygroups = new KeygroupsClient(this.#admin);
    this.invocations = new InvocationsClient(this.#admin);
    this.#calls = new Calls(() => this.#findFunctionPort());
  }

  /**
   * Calls a function and waits for its answer, whatever its status. Text, bytes and JSON in
   * `data` arrive as such.
   * @throws EnokiError when the platform refuses the call or the function fails
   */
  call(name: string, data?: Value, options: CallOptions = {}): Promise<CallResponse> {
    return this.#calls.call(name, data, options);
  }

  /** Calls a function asynchronously: resolves once the invocation is stored. @throws EnokiError */
  send(name: string, data?: Value, options: CallOptions = {}): Promise<SentInvocation> {
    return this.#calls.send(name, data, options);
  }

  /**
   * What an asynchronous invocation answered; `undefined` while it waits, or if it still does
   * after `wait`, a duration such as `30s`.
   * @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND`, or what the invocation failed with
   */
  result(
    id: string,
    options: { readonly wait?: string; readonly signal?: AbortSignal } = {},
  ): Promise<CallResponse | undefined> {
    return this.#calls.result(id, options);
  }

  /** The data of a function, or of any keygroup. Nothing is sent yet. */
  kv(keygroup: string): KeygroupClient {
    return new KeygroupClient(this.#admin, keygroup);
  }

  /** What the node says about itself. */
  async node(): Promise<NodeInfo> {
    return await this.#admin.json("/v1/node");
  }

  /** Asks once; a failure is not remembered. */
  #findFunctionPort(): Promise<Transport> {
    this.#functionPort ??= this.#makeFunctionPort().catch((error: unknown) => {
      this.#functionPort = undefined;
      throw error;
    });
    return this.#functionPort;
  }

  async #makeFunctionPort(): Promise<Transport> {
    const { functionsUrl, functionsToken, token, timeoutMs } = this.#options;
    if (functionsUrl !== undefined) return new Transport(functionsUrl, functionsToken, timeoutMs);
    const { addresses, access } = await this.node();
    if (!addresses.functions) {
      throw new EnokiError("ENOKI_UNSUPPORTED", `the node at ${this.url} takes no calls over HTTP`);
    }
    // why: where everybody may call, `Authorization` reaches the function, which must not learn
    // the node's token.
    const callToken = functionsToken ?? (access === "token" ? token : undefined);
    return new Transport(reachable(addresses.functions, this.url), callToken, timeoutMs);
  }
}

/** Makes a client for the node at `url`. Nothing is sent yet. @throws EnokiError for a bad address */
export function connect(options: string | ClientOptions): Client {
  return new Client(typeof options === "string" ? { url: options } : options);
}

const LOCAL_HOSTS = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1?\]|0\.0\.0\.0)$/;

/**
 * A node that listens everywhere names itself by its loopback address: from elsewhere it is reached
 * by the host that the admin port was reached by.
 */
function reachable(address: string, adminUrl: string): string {
  const url = new URL(address.includes("://") ? address : `http://${address}`);
  if (LOCAL_HOSTS.test(url.hostname)) url.hostname = new URL(adminUrl).hostname;
  return url.origin;
}
