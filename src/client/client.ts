import { EnokiError } from "../core/errors.js";
import type { Value } from "../guest/types.js";
import { DataRequests } from "./data-requests.js";
import { Calls, type CallOptions, type CallResponse, type SentInvocation } from "./calls.js";
import { FunctionPort } from "./function-port.js";
import { FunctionsClient } from "./functions-client.js";
import { InvocationsClient } from "./invocations-client.js";
import { KeygroupClient } from "./keygroup.js";
import { KeygroupsClient } from "./keygroups-client.js";
import { NodePorts } from "./node-ports.js";
import { SecretsClient } from "./secrets-client.js";
import { ClientSession } from "./session.js";
import { Transport } from "./transport.js";
import { TokensClient } from "./tokens-client.js";
import type { KnownNode, NodeInfo } from "./types.js";

/** Where a node is, and how to talk to it. */
export interface ClientOptions {
  /**
   * Address of the admin port, such as `http://127.0.0.1:8080`; or of several nodes: calls and data
   * go to the first that answers, and to the next when it is gone. Functions, keygroups and
   * invocations are managed on the first one.
   */
  readonly url: string | readonly string[];
  /** What the client has seen before: a {@link Client.session} that was kept. */
  readonly session?: string;
  /** Address of the function port of a single node; without it the node is asked once. */
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
  readonly tokens: TokensClient;
  readonly secrets: SecretsClient;
  readonly #admin: Transport;
  readonly #session: ClientSession;
  readonly #data: DataRequests;
  readonly #calls: Calls;

  constructor(options: ClientOptions) {
    const { url, session, token, timeoutMs, functionsUrl, functionsToken } = options;
    const admins = [url].flat().map((one) => new Transport(one, token, timeoutMs));
    if (admins.length === 0 || (admins.length > 1 && functionsUrl !== undefined)) {
      const what =
        "a client needs an address; with several, it asks the nodes for their function ports";
      throw new EnokiError("ENOKI_INVALID_INPUT", what);
    }
    this.#admin = admins[0] as Transport;
    this.#session = new ClientSession(session);
    const access = { functionsUrl, functionsToken, token, timeoutMs };
    const calls = admins.map((admin) => new FunctionPort({ admin, ...access }));
    const data = admins.map((admin) => ({ find: () => Promise.resolve(admin) }));
    this.#data = new DataRequests(this.#admin.url, new NodePorts(data, this.#session));
    this.url = this.#admin.url;
    this.functions = new FunctionsClient(this.#admin);
    this.keygroups = new KeygroupsClient(this.#admin);
    this.invocations = new InvocationsClient(this.#admin);
    this.tokens = new TokensClient(this.#admin);
    this.secrets = new SecretsClient(this.#admin);
    this.#calls = new Calls(new NodePorts(calls, this.#session));
  }

  /**
   * What this client has seen and written, as a token to keep: another client that goes on with it,
   * on whichever node, reads its writes. `""` while there is nothing that another node might lack.
   */
  get session(): string {
    return this.#session.token;
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
    return new KeygroupClient(this.#data, keygroup);
  }

  /** All nodes of the cluster, as the node knows them. */
  async nodes(): Promise<readonly KnownNode[]> {
    return (await this.#admin.json<{ nodes: KnownNode[] }>("/v1/nodes")).nodes;
  }

  /** What the node says about itself. */
  async node(): Promise<NodeInfo> {
    return await this.#admin.json("/v1/node");
  }
}

/** Makes a client for one node, or for several. Nothing is sent yet. @throws EnokiError for a bad address */
export function connect(options: string | readonly string[] | ClientOptions): Client {
  const isOptions = typeof options === "object" && "url" in options;
  return new Client(isOptions ? options : { url: options });
}
