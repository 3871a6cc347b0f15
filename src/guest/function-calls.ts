import { parseDurationMs } from "../base/duration.js";
import {
  decodeCallReply,
  decodeSendReply,
  encodeCall,
  type CallOperation,
} from "../channel/call-operations.js";
import { OPERATION } from "../channel/frames.js";
import { callIdOf } from "../channel/operations.js";
import { joinHeaders } from "../channel/invoke.js";
import { EnokiError } from "../core/errors.js";
import { TAG } from "../core/value.js";
import { InvalidInputError } from "./context.js";
import { bodyValue } from "./input.js";
import { encodeValue } from "./kv-values.js";
import type { OperationPort } from "./operations.js";
import { checkHeader } from "./reply.js";
import type { CallOptions, SendOptions, Value } from "./types.js";

const CONTENT_TYPES: Readonly<Record<number, string>> = {
  [TAG.str]: "text/plain; charset=utf-8",
  [TAG.json]: "application/json",
};
const BYTES = "application/octet-stream";
const WITHOUT_BODY: ReadonlySet<string> = new Set(["GET", "HEAD"]);
/** What a u32 holds, some 49 days. */
const TIMEOUT_MS_MAX = 2 ** 32 - 1;

type Request = Parameters<typeof encodeCall>[4];

/** Other functions, as the code of one sees them. */
export class FunctionCalls {
  readonly #operations: OperationPort;

  constructor(operations: OperationPort) {
    this.#operations = operations;
  }

  /** See `call` of the module `enoki`. */
  readonly call = async <T>(name: string, data?: Value, options: CallOptions = {}): Promise<T> => {
    const request = callRequest(name, data, options);
    return this.#operations.send(
      (writer, id, scope) => encodeCall(writer, id, callIdOf(scope), OPERATION.call, request),
      decodeResult<T>,
      name,
    );
  };

  /** See `send` of the module `enoki`. */
  readonly send = async (
    name: string,
    data?: Value,
    options: SendOptions = {},
  ): Promise<string> => {
    const { orderKey = "", ...rest } = options;
    const request = { ...callRequest(name, data, rest), orderKey: checkText("orderKey", orderKey) };
    return this.#operations.send(
      (writer, id, scope) => encodeCall(writer, id, callIdOf(scope), OPERATION.send, request),
      decodeSendReply,
      undefined,
    );
  };
}

function callRequest(name: string, data: Value | undefined, options: CallOptions): Request {
  if (typeof name !== "string") {
    throw new EnokiError("ENOKI_INVALID_NAME", "the name of a function is a string");
  }
  const { timeout, idempotencyKey = "", method = "POST", path = "", headers = {} } = options;
  const [head = "", ...query] = checkText("path", path).split("?");
  const request: Omit<CallOperation, "body"> = {
    function: name,
    timeoutMs: timeout === undefined ? 0 : parseTimeoutMs(timeout),
    orderKey: "",
    method: checkText("method", method),
    path: head,
    query: query.join("?"),
    idempotencyKey: checkText("idempotencyKey", idempotencyKey),
    contentType: "",
    headers: joinedHeaders(headers),
  };
  if (data === undefined && WITHOUT_BODY.has(method)) return { ...request, body: undefined };
  const { tag, content } = encodeValue(data ?? null);
  return { ...request, contentType: CONTENT_TYPES[tag] ?? BYTES, body: content };
}

function parseTimeoutMs(timeout: unknown): number {
  const timeoutMs = typeof timeout === "string" ? parseDurationMs(timeout) : undefined;
  if (timeoutMs !== undefined && timeoutMs > 0) return Math.min(timeoutMs, TIMEOUT_MS_MAX);
  throw new EnokiError("ENOKI_INVALID_INPUT", 'timeout is a duration such as "5s"');
}

function checkText(option: string, text: unknown): string {
  if (typeof text === "string") return text;
  throw new EnokiError("ENOKI_INVALID_INPUT", `${option} is a string`);
}

function joinedHeaders(headers: NonNullable<CallOptions["headers"]>): string {
  const pairs = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  try {
    return joinHeaders(pairs.flatMap(([name, value]) => [name, checkHeader(name, value)]));
  } catch (error) {
    throw new EnokiError("ENOKI_INVALID_INPUT", (error as Error).message);
  }
}

/** What the function returned, by its content type; nothing is `undefined`. */
function decodeResult<T>(payload: Buffer, name: string): T {
  const { contentType, body } = decodeCallReply(payload);
  if (contentType === "" && body.length === 0) return undefined as T;
  try {
    return bodyValue(contentType, body) as T;
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new EnokiError("ENOKI_INVALID_RESULT", `what "${name}" returned: ${error.message}`);
  }
}
