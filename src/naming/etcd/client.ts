import { namingOutcomeUnknown } from "../../ports/naming.js";
import type { EtcdEndpoint } from "./address.js";
import { EtcdFailure, GRPC, isTokenFailure, namingErrorOf } from "./failure.js";
import { type EtcdRequest, type EtcdStream, EtcdTransport } from "./transport.js";
import { parseWire } from "./wire.js";

/** Who we are to etcd, where it asks. */
export interface EtcdUser {
  readonly name: string;
  readonly password: string;
}

/** What calls are made of. */
export interface EtcdClientOptions {
  readonly endpoints: readonly EtcdEndpoint[];
  readonly transport: EtcdTransport;
  readonly user: EtcdUser | undefined;
  /** For a whole call, whatever the number of members that are asked. */
  readonly deadlineMs: number;
}

const IDLE_CONNECTIONS_MAX = EtcdTransport.idleConnectionsMax;

/** A call may be made twice without harm, or not. */
export type CallKind = "repeatable" | "once";

type Attempt<T> = (request: EtcdRequest) => Promise<T>;

/**
 * Calls a cluster: asks the member that answered last, then the others; logs in, and anew when the
 * token has gone; knows which failures leave the outcome open.
 */
export class EtcdClient {
  readonly #options: EtcdClientOptions;
  /** The member asked first. */
  #first = 0;
  #token: Promise<string | undefined> | undefined;

  constructor(options: EtcdClientOptions) {
    this.#options = options;
  }

  /** The member that is asked first. */
  get endpoint(): EtcdEndpoint {
    return this.#options.endpoints[this.#first] as EtcdEndpoint;
  }

  /**
   * Calls `path` and returns what was answered.
   * @throws EnokiError as {@link Naming} says · EtcdFailure of the kind `answered` when etcd says no
   */
  async call<T extends object>(path: string, body: object, kind: CallKind): Promise<T> {
    const text = await this.#ask(path, body, kind, (request) =>
      this.#options.transport.send(request),
    );
    return parseWire<T>(text);
  }

  /** Opens an answer that goes on. Throws as {@link call} does. */
  async stream(path: string, body: object): Promise<EtcdStream> {
    return this.#ask(path, body, "repeatable", (request) =>
      this.#options.transport.stream(request),
    );
  }

  async #ask<T>(path: string, body: object, kind: CallKind, attempt: Attempt<T>): Promise<T> {
    const { endpoints, deadlineMs } = this.#options;
    const text = JSON.stringify(body);
    const members = endpoints.map((_, index) => (this.#first + index) % endpoints.length);
    let last: EtcdFailure | undefined;
    for (const member of members) {
      const endpoint = endpoints[member] as EtcdEndpoint;
      const request = { endpoint, path, body: text, deadlineMs: deadlineMs / members.length };
      try {
        const answer = await this.#onLiveConnection(request, kind, attempt);
        this.#first = member;
        return answer;
      } catch (error) {
        if (!(error instanceof EtcdFailure)) throw error;
        if (!error.isPassing) throw error.kind === "answered" ? error : namingErrorOf(error);
        last = error;
        // The next call begins with the next member; nobody waits for the same silence again.
        this.#first = (member + 1) % endpoints.length;
        if (kind === "once" && error.isUndecided)
          throw namingOutcomeUnknown(`etcd: ${error.message}`);
      }
    }
    throw namingErrorOf(last as EtcdFailure);
  }

  /** Tries again, where that does no harm, as long as only idle connections turn out to be dead. */
  async #onLiveConnection<T>(
    request: Omit<EtcdRequest, "token">,
    kind: CallKind,
    attempt: Attempt<T>,
  ): Promise<T> {
    for (let triesLeft = IDLE_CONNECTIONS_MAX; ; triesLeft--) {
      try {
        return await this.#loggedIn(request, attempt);
      } catch (error) {
        const isHarmless = kind === "repeatable" && error instanceof EtcdFailure && error.wasIdle;
        if (!isHarmless || triesLeft === 0) throw error;
      }
    }
  }

  /** Logs in anew before the next call. */
  forgetToken(): void {
    this.#token = undefined;
  }

  async #loggedIn<T>(request: Omit<EtcdRequest, "token">, attempt: Attempt<T>): Promise<T> {
    const used = this.#login(request);
    try {
      return await attempt({ ...request, token: await used });
    } catch (error) {
      if (this.#token === used && error instanceof EtcdFailure) {
        // why: a login that failed must not be the answer for all that come after it.
        if (isTokenFailure(error) || !(await hasSucceeded(used))) this.#token = undefined;
      }
      if (!(error instanceof EtcdFailure && isTokenFailure(error))) throw error;
      // etcd refuses a token before it does anything, so even a transaction can be sent again.
      return attempt({ ...request, token: await this.#login(request) });
    }
  }

  #login(request: Omit<EtcdRequest, "token">): Promise<string | undefined> {
    const { user, transport } = this.#options;
    if (user === undefined) return Promise.resolve(undefined);
    this.#token ??= login(transport, user, request);
    return this.#token;
  }
}

async function login(
  transport: EtcdTransport,
  user: EtcdUser,
  request: Omit<EtcdRequest, "token">,
): Promise<string | undefined> {
  const path = "/v3/auth/authenticate";
  try {
    const body = JSON.stringify(user);
    const answer = await transport.send({ ...request, path, body, token: undefined });
    return parseWire<{ token?: string }>(answer).token;
  } catch (error) {
    if (!(error instanceof EtcdFailure)) throw error;
    // This etcd asks nobody who he is.
    if (error.code === GRPC.failedPrecondition) return undefined;
    // A login changes nothing, so whatever waited for it was not sent.
    throw error.isPassing ? new EtcdFailure("unsent", error.message) : error;
  }
}

async function hasSucceeded(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
