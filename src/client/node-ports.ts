import { EnokiError } from "../core/errors.js";
import { errorOf } from "./problem.js";
import type { ClientSession } from "./session.js";
import {
  isNotSent,
  text,
  type ClientAnswer,
  type ClientRequest,
  type Transport,
} from "./transport.js";

/** A port of one node: how it is reached may have to be found out. */
export interface NodePort {
  /** @throws EnokiError if that cannot be found out */
  find(): Promise<Transport>;
}

/** An answer, and the port that gave it. */
export interface NodeAnswer {
  readonly url: string;
  readonly answer: ClientAnswer;
}

/** Codes of a node that has not begun: another one may do it. */
const NOT_BEGUN = new Set(["ENOKI_DRAINING", "ENOKI_SESSION_NOT_REACHED"]);
const SESSION_HEADER = "enoki-session";

/**
 * The ports of one kind of the nodes that a client may use, one at a time: the next one is taken when
 * one is gone, and the client's session goes along. A request moves on only if it has certainly not
 * begun, or may safely be repeated: it has an idempotency key, or is a GET or HEAD.
 */
export class NodePorts {
  readonly #session: ClientSession;
  readonly #ports: readonly NodePort[];
  #at = 0;

  constructor(ports: readonly NodePort[], session: ClientSession) {
    this.#ports = ports;
    this.#session = session;
  }

  /**
   * Sends a request to the node in use, or to the next that answers. `isElsewhere`: a node that
   * answers so is not the one that is meant.
   * @throws EnokiError of the last node that was asked
   */
  async send(
    path: string,
    request: ClientRequest,
    isElsewhere: (answer: ClientAnswer) => boolean = () => false,
  ): Promise<NodeAnswer> {
    const first = this.#at;
    for (let tried = 1; ; tried++) {
      const isLast = tried >= this.#ports.length;
      const at = (first + tried - 1) % this.#ports.length;
      try {
        const found = await this.#sendTo(at, path, request);
        if (!isLast && (isElsewhere(found.answer) || hasNotBegun(found))) continue;
        this.#at = at;
        return found;
      } catch (error) {
        const mayMoveOn = !isLast && !request.signal?.aborted && mayRepeat(error, request);
        if (!mayMoveOn) throw error instanceof NotSent ? error.reason : error;
      }
    }
  }

  /** Streams lines from the node in use, or from the next that can be reached. */
  async *lines(path: string, request: ClientRequest): AsyncGenerator<unknown> {
    const first = this.#at;
    for (let tried = 1; ; tried++) {
      const at = (first + tried - 1) % this.#ports.length;
      try {
        const port = await (this.#ports[at] as NodePort).find();
        yield* port.lines(path, this.#withSession(request));
        return;
      } catch (error) {
        if (!isNotSent(error) || tried >= this.#ports.length) throw error;
        this.#at = (at + 1) % this.#ports.length;
      }
    }
  }

  #withSession(request: ClientRequest): ClientRequest {
    const headers = new Headers(request.headers);
    const token = headers.get(SESSION_HEADER) ?? this.#session.token;
    if (token !== "") headers.set(SESSION_HEADER, token);
    return { ...request, headers };
  }

  async #sendTo(at: number, path: string, request: ClientRequest): Promise<NodeAnswer> {
    const port = await (this.#ports[at] as NodePort).find().catch((error: unknown) => {
      throw new NotSent(error);
    });
    const answer = await port.send(path, this.#withSession(request));
    this.#session.note(answer.headers.get(SESSION_HEADER));
    return { url: port.url, answer };
  }
}

/** The node could not even be asked where its function port is. */
class NotSent extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super("not sent");
    this.reason = reason;
  }
}

function hasNotBegun({ url, answer }: NodeAnswer): boolean {
  if (answer.status !== 503) return false;
  return NOT_BEGUN.has(errorOf(url, answer.status, answer.headers, text(answer.body)).code);
}

function mayRepeat(error: unknown, { method = "GET", headers }: ClientRequest): boolean {
  if (error instanceof NotSent || isNotSent(error)) return true;
  const isGone = error instanceof EnokiError && error.code === "ENOKI_NODE_UNREACHABLE";
  return isGone && (/^(?:GET|HEAD)$/.test(method) || headers?.has("idempotency-key") === true);
}
