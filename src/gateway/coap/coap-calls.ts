import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";
import type { CallRequest } from "../../functions/call.js";
import type { FunctionHost } from "../../functions/function-host.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { CallAnswer, CallEntry, EntryCall } from "../functions/call-entry.js";
import { knownError, retryAfterS } from "../problem.js";
import { formatOf, readTarget, TEXT_FORMAT, type CoapTarget } from "./call-request.js";
import { CODE, codeOfError, codeOfStatus, methodOf } from "./codes.js";
import type { CoapResponse, Peer } from "./exchanges.js";
import type { CoapMessage, CoapOption } from "./message.js";
import {
  blockOf,
  blockOption,
  numberOf,
  numberOption,
  OPTION,
  optionOf,
  textsOf,
  unknownCritical,
  type Block,
} from "./options.js";
import { Transfers, type KeptAnswer } from "./transfers.js";

/** What {@link CoapCalls} are built from. */
export interface CoapCallsOptions {
  readonly entry: CallEntry;
  readonly bodyLimitBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is needed to answer one request in blocks. */
interface Asked {
  readonly message: CoapMessage;
  readonly peer: Peer;
  /** Options that go with the answer to a request whose body came in blocks. */
  readonly received: readonly CoapOption[];
}

/** Which function is called, with what beside the body. */
interface Called {
  readonly host: FunctionHost;
  readonly request: CoapTarget["request"];
}

const BLOCK_BYTES_MAX = 1024;
const DIAGNOSTIC_CHARACTERS_MAX = 200;
const ETAG_BYTES = 4;
const GREETING = "Enoki: call a function at /<name>\n";
const EMPTY = Buffer.alloc(0);
/** Options that differ between the blocks of one exchange, or say nothing of what is asked. */
const OF_BLOCKS: ReadonlySet<number> = new Set([
  OPTION.block1,
  OPTION.block2,
  OPTION.size1,
  OPTION.size2,
  OPTION.requestTag,
]);

/**
 * Requests over CoAP as calls of functions: the first segment of the path names the function. Bodies
 * that do not fit into a datagram come and go in blocks; the function runs once, when all has come.
 */
export class CoapCalls {
  readonly #options: CoapCallsOptions;
  readonly #transfers: Transfers;
  #running = 0;
  #answersTotal = 0;
  #idle: (() => void) | undefined;

  constructor(options: CoapCallsOptions) {
    this.#options = options;
    const { clock, bodyLimitBytes } = options;
    this.#transfers = new Transfers({ clock, bodyBytesMax: bodyLimitBytes });
  }

  /** Answers one request, now or when its function has ended. Never throws. */
  handle(message: CoapMessage, peer: Peer, respond: (response: CoapResponse) => void): void {
    try {
      const response = this.#answerAtOnce(message, peer, respond);
      if (response) respond(response);
    } catch (error) {
      respond(problem(knownError(error, this.#options.logger)));
    }
  }

  /** Resolves when no call runs. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /** The response, where no function has to run for it; else that is started. */
  #answerAtOnce(
    message: CoapMessage,
    peer: Peer,
    respond: (response: CoapResponse) => void,
  ): CoapResponse | undefined {
    const method = methodOf(message.code);
    if (method === undefined) return diagnostic(CODE.methodNotAllowed, "no such method");
    const unknown = unknownCritical(message);
    if (unknown !== undefined) return diagnostic(CODE.badOption, `option ${unknown} is not known`);
    if (optionOf(message, OPTION.proxyUri) ?? optionOf(message, OPTION.proxyScheme)) {
      return diagnostic(CODE.noProxy, "this node is no proxy");
    }
    const target = readTarget(message, method);
    if (target.name === "") return text(GREETING);
    // Before anything of the request is kept.
    const authorization = textsOf(message, OPTION.authorization)[0] ?? "";
    const host = this.#options.entry.allowedHost(target.name, authorization);
    const asked: Asked = { message, peer, received: [] };
    const block1 = blockOf(message, OPTION.block1);
    const block2 = blockOf(message, OPTION.block2);
    const called = { host, request: target.request };
    if (block1) return this.#receive(asked, block1, called, respond);
    if (block2 && block2.number > 0) return this.#next(asked, block2);
    this.#call(asked, called, message.payload, respond);
    return undefined;
  }

  /** Takes one block of a body, and calls once it was the last. */
  #receive(
    asked: Asked,
    block: Block,
    called: Called,
    respond: (response: CoapResponse) => void,
  ): CoapResponse | undefined {
    const { bodyLimitBytes } = this.#options;
    const { message } = asked;
    const tag = optionOf(message, OPTION.requestTag)?.toString("hex") ?? "";
    const announced = numberOf(message, OPTION.size1) ?? 0;
    const received =
      announced > bodyLimitBytes
        ? ({ state: "too-large" } as const)
        : this.#transfers.receive(`${nameOf(asked)} ${tag}`, block, message.payload);
    const echo = blockOption(OPTION.block1, block);
    switch (received.state) {
      case "continue":
        return { code: CODE.continue, options: [echo], payload: EMPTY };
      case "incomplete":
        return diagnostic(CODE.requestIncomplete, "begin again with the first block", [echo]);
      case "too-large": {
        const limit = numberOption(OPTION.size1, bodyLimitBytes);
        return diagnostic(CODE.requestTooLarge, `a body may have ${bodyLimitBytes} bytes`, [
          echo,
          limit,
        ]);
      }
      case "complete":
        this.#call({ ...asked, received: [echo] }, called, received.body, respond);
        return undefined;
    }
  }

  /** A further block of an answer: the function does not run again for it. */
  #next(asked: Asked, block: Block): CoapResponse {
    const kept = this.#transfers.kept(nameOf(asked));
    if (!kept) return diagnostic(CODE.requestIncomplete, "the answer is no longer kept: ask again");
    if (block.number * block.sizeBytes >= kept.body.length) {
      return diagnostic(CODE.badRequest, "the answer has no such block");
    }
    return blockResponse(kept, block.number, block.sizeBytes);
  }

  #call(
    asked: Asked,
    { host, request }: Called,
    body: Buffer,
    respond: (response: CoapResponse) => void,
  ): void {
    const { entry, bodyLimitBytes } = this.#options;
    if (this.#running >= LIMITS.coapCallsMax) {
      throw new EnokiError("ENOKI_QUEUE_FULL", `${LIMITS.coapCallsMax} calls over CoAP run`);
    }
    if (body.length > bodyLimitBytes) {
      throw new EnokiError("ENOKI_BODY_TOO_LARGE", `a body may have ${bodyLimitBytes} bytes`);
    }
    const fresh = entry.admit();
    const callRequest: CallRequest = { ...request, body: body.length === 0 ? undefined : body };
    const call: EntryCall = {
      protocol: "coap",
      host,
      fresh,
      request: callRequest,
      timeoutMs: undefined,
      session: undefined,
    };
    this.#running += 1;
    entry.begin(call, (answer) => {
      respond(this.#responseTo(asked, answer));
      this.#running -= 1;
      if (this.#running === 0) this.#idle?.();
    });
  }

  #responseTo(asked: Asked, { outcome }: CallAnswer): CoapResponse {
    const { message, received } = asked;
    if (outcome instanceof EnokiError) return problem(outcome, received);
    const code = codeOfStatus(outcome.status);
    const contentFormat = formatOf(outcome.contentType, numberOf(message, OPTION.accept));
    if (contentFormat === undefined) {
      return diagnostic(
        CODE.notAcceptable,
        `the function returned ${outcome.contentType}`,
        received,
      );
    }
    const { body } = outcome;
    const asksFor = blockOf(message, OPTION.block2)?.sizeBytes;
    const sizeBytes = asksFor ?? BLOCK_BYTES_MAX;
    const etag = Buffer.alloc(ETAG_BYTES);
    this.#answersTotal += 1;
    etag.writeUInt32BE(this.#answersTotal % 2 ** (8 * ETAG_BYTES));
    const answer: KeptAnswer = { code, contentFormat, body, etag };
    if (body.length <= sizeBytes) {
      const response = wholeResponse(answer);
      return { ...response, options: [...response.options, ...received] };
    }
    this.#transfers.keep(nameOf(asked), answer);
    const first = blockResponse(answer, 0, sizeBytes);
    const size = numberOption(OPTION.size2, body.length);
    return { ...first, options: [...first.options, size, ...received] };
  }
}

/** Names an exchange in blocks: its peer, and all that is asked for but the block. */
function nameOf({ message, peer }: Asked): string {
  const parts = message.options
    .filter(({ number }) => !OF_BLOCKS.has(number))
    .map(({ number, value }) => `${number}:${value.toString("hex")}`);
  return `${peer.port} ${peer.address} ${message.code} ${parts.join(" ")}`;
}

function wholeResponse({ code, contentFormat, body }: KeptAnswer): CoapResponse {
  return { code, options: answerOptions(contentFormat), payload: body };
}

function blockResponse(kept: KeptAnswer, number: number, sizeBytes: number): CoapResponse {
  const start = number * sizeBytes;
  const end = start + sizeBytes;
  const isMore = end < kept.body.length;
  return {
    code: kept.code,
    options: [
      ...answerOptions(kept.contentFormat),
      { number: OPTION.etag, value: kept.etag },
      blockOption(OPTION.block2, { number, isMore, sizeBytes }),
    ],
    payload: kept.body.subarray(start, end),
  };
}

/** A call's answer is for its caller alone: without an age of 0 caches would keep it for a minute. */
function answerOptions(contentFormat: number): CoapOption[] {
  return [numberOption(OPTION.contentFormat, contentFormat), numberOption(OPTION.maxAge, 0)];
}

function text(body: string): CoapResponse {
  return { code: CODE.content, options: answerOptions(TEXT_FORMAT), payload: Buffer.from(body) };
}

/** A platform error: its code and what it says, for people. */
function problem(error: EnokiError, options: readonly CoapOption[] = []): CoapResponse {
  const afterS = retryAfterS(error);
  const age = afterS === undefined ? [] : [numberOption(OPTION.maxAge, afterS)];
  return diagnostic(codeOfError(error), `${error.code}: ${error.message}`, [...options, ...age]);
}

function diagnostic(
  code: number,
  detail: string,
  options: readonly CoapOption[] = [],
): CoapResponse {
  return { code, options, payload: Buffer.from(detail.slice(0, DIAGNOSTIC_CHARACTERS_MAX)) };
}
