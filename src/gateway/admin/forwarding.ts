import { EnokiError } from "../../core/errors.js";
import { parseKeygroupName, type KeygroupName, type NodeName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { SessionEntry } from "../../core/session.js";
import type { PeerRequests } from "../../peers/requests.js";
import { readBody } from "./body.js";
import {
  decodeAnswerHead,
  decodeRequest,
  encodeAnswerHead,
  encodeRequest,
  type AnswerHead,
  type ForwardedRequest,
} from "./forwarded-frames.js";
import { splitUrl } from "./route.js";
import { errorLine, NDJSON } from "./streams.js";

/** Number of the request that carries one of the admin port, about data, to another node: a stream. */
export const DATA_METHOD = 48;

/** Takes requests about the data of a keygroup to members on other nodes. */
export interface DataForwarding {
  /**
   * The answer of the first member that serves, those first that are known to show `seen`.
   * @throws EnokiError of the last one that was asked, or `refusal` if nobody can be
   */
  forward(
    keygroup: KeygroupName,
    request: Request,
    refusal: EnokiError,
    seen?: SessionEntry,
  ): Promise<Response>;
}

/** What {@link createForwarding} works with. */
export interface ForwardingOptions {
  readonly requests: PeerRequests;
  /** Members on other nodes that may serve, the best one first. */
  readonly members: (keygroup: KeygroupName, seen?: SessionEntry) => readonly NodeName[];
  /** Whether this node has a part in the keygroup, so that they would answer it. */
  readonly hasPart: (keygroup: KeygroupName) => boolean;
}

/** What may be asked for, by the name of the keygroup. */
const DATA_PATH = /^\/v1\/keygroups\/([^/]+)\/(?:keys|operations|watch|export|import)(?:\/|$)/;

/** How long a member may be silent; a stream with nothing to say sends an empty line more often. */
const SILENCE_MS = 60_000;
/** A problem document is no longer. */
const PROBLEM_BYTES_MAX = 65_536;

/** Codes of a member that has certainly done nothing, and cannot: another one may. */
const UNDONE: ReadonlySet<string> = new Set([
  "ENOKI_STALE",
  "ENOKI_KEYGROUP_NOT_FOUND",
  "ENOKI_DRAINING",
  "ENOKI_SESSION_NOT_REACHED",
]);

/** What of a request's headers the routes read. */
const PASSED_HEADERS = [
  "content-type",
  "if-match",
  "if-none-match",
  "enoki-ttl",
  "enoki-session",
] as const;

/** Asks members over links. */
export function createForwarding(options: ForwardingOptions): DataForwarding {
  const { requests, members, hasPart } = options;
  return {
    async forward(keygroup, request, refusal, seen) {
      const asked = members(keygroup, seen);
      // why only then: members answer nobody else, and the refusal names them.
      if (asked.length === 0 || !hasPart(keygroup)) throw refusal;
      const frame = await frameOf(request);
      let last = refusal;
      for (const member of asked) {
        const pieces = requests.stream(member, DATA_METHOD, frame, {
          timeoutMs: SILENCE_MS,
          lane: "update",
          signal: request.signal,
        });
        try {
          const answer = await readAnswer(pieces);
          const refused = await refusalOf(answer);
          if (!refused) return toResponse(answer);
          last = refused;
        } catch (error) {
          const isUndone = error instanceof EnokiError && error.code === "ENOKI_PEER_UNREACHABLE";
          if (!isUndone) throw error;
        }
      }
      throw last;
    },
  };
}

/** What {@link serveForwarded} works with. */
export interface ForwardedOptions {
  readonly requests: PeerRequests;
  /** True if that node has a part in the keygroup. */
  readonly mayAsk: (keygroup: KeygroupName, peer: NodeName) => boolean;
  /** Answers from this node alone. */
  readonly answer: (request: Request) => Response | Promise<Response>;
}

/** Answers such requests of other nodes. */
export function serveForwarded({ requests, mayAsk, answer }: ForwardedOptions): void {
  requests.serve(DATA_METHOD, async ({ peer, body, signal }) => {
    const request = toRequest(decodeRequest(body), signal);
    // why of the request: what was sent may hold dots, which are resolved by now.
    const { path } = splitUrl(request.url);
    const keygroup = DATA_PATH.exec(path)?.[1];
    if (keygroup === undefined || !mayAsk(parseKeygroupName(keygroup), peer)) {
      throw new EnokiError("ENOKI_FORBIDDEN", `"${peer}" may not ask for ${path.slice(0, 100)}`);
    }
    return piecesOf(await answer(request));
  });
}

/** @throws EnokiError `ENOKI_PROTOCOL` for what is no request */
function toRequest(
  { method, path, headers, content }: ForwardedRequest,
  signal: AbortSignal,
): Request {
  try {
    return new Request(`http://node${path}`, {
      method,
      headers: [...headers] as [string, string][],
      signal,
      ...(content.length > 0 ? { body: content as Uint8Array<ArrayBuffer> } : {}),
    });
  } catch {
    throw new EnokiError("ENOKI_PROTOCOL", "a forwarded request is none");
  }
}

async function frameOf(request: Request): Promise<Uint8Array> {
  const { path, query } = splitUrl(request.url);
  const content = await readBody(request, {
    sizeBytesMax: LIMITS.frameBytesMax,
    code: "ENOKI_BODY_TOO_LARGE",
  });
  const headers = PASSED_HEADERS.flatMap((name) => {
    const value = request.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  const target = query === "" ? path : `${path}?${query}`;
  return encodeRequest({ method: request.method, path: target, headers, content });
}

interface Answer {
  readonly head: AnswerHead;
  /** What of the body came with the head. */
  readonly first: Uint8Array;
  readonly rest: AsyncIterableIterator<Uint8Array>;
}

async function readAnswer(rest: AsyncIterableIterator<Uint8Array>): Promise<Answer> {
  let gathered = Buffer.alloc(0);
  for (;;) {
    const next = await rest.next();
    if (next.done === true) throw new EnokiError("ENOKI_PROTOCOL", "an answer is cut short");
    gathered = Buffer.concat([gathered, next.value as Uint8Array]);
    const found = decodeAnswerHead(gathered);
    if (found) return { head: found.head, first: gathered.subarray(found.end), rest };
  }
}

/** The error that such an answer stands for, if another member is to be asked. */
async function refusalOf({ head, first, rest }: Answer): Promise<EnokiError | undefined> {
  const code = head.code;
  if (code === undefined || !UNDONE.has(code)) return undefined;
  let text = Buffer.from(first);
  for await (const piece of rest) {
    text = Buffer.concat([text, piece]);
    if (text.length > PROBLEM_BYTES_MAX) throw malformedAnswer();
  }
  try {
    const { detail } = JSON.parse(text.toString("utf8")) as { detail: unknown };
    return new EnokiError(code as EnokiError["code"], String(detail));
  } catch {
    throw malformedAnswer();
  }
}

function malformedAnswer(): EnokiError {
  return new EnokiError("ENOKI_PROTOCOL", "the answer of another node is malformed");
}

/** @throws EnokiError `ENOKI_PROTOCOL` */
function toResponse(answer: Answer): Response {
  try {
    return responseOf(answer);
  } catch {
    throw malformedAnswer();
  }
}

function responseOf({ head, first, rest }: Answer): Response {
  const headers = new Headers([...head.headers] as [string, string][]);
  const hasBody = head.status !== 204 && head.status !== 304;
  const isLines = headers.get("content-type") === NDJSON;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (first.length > 0) controller.enqueue(first);
    },
    pull: async (controller) => {
      try {
        const next = await rest.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value as Uint8Array);
      } catch (error) {
        if (!isLines) throw error;
        controller.enqueue(new TextEncoder().encode(`${errorLine(error)}\n`));
        controller.close();
      }
    },
    cancel: () => void rest.return?.(),
  });
  return new Response(hasBody ? body : null, { status: head.status, headers });
}

async function* piecesOf(response: Response): AsyncGenerator<Uint8Array> {
  const { status, headers, body } = response;
  // why: the code goes along in the head, so that nobody has to read the body to know it.
  const isProblem = headers.get("content-type") === "application/problem+json";
  if (isProblem) {
    const text = await response.text();
    const { code } = JSON.parse(text) as { code: string };
    yield encodeAnswerHead({ status, headers: [...headers], code });
    yield Buffer.from(text, "utf8");
    return;
  }
  yield encodeAnswerHead({ status, headers: [...headers] });
  if (body) yield* body as unknown as AsyncIterable<Uint8Array>;
}
