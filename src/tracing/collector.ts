import { request as requestHttp, Agent, type IncomingMessage } from "node:http";
import { request as requestHttps, Agent as TlsAgent } from "node:https";

/** What a collector says to a batch of spans. */
export type CollectorAnswer =
  /** Taken, but for so many. `problem`: what it says of those. */
  | { readonly kind: "taken"; readonly rejected: number; readonly problem?: string }
  /** It will not take these, whenever they come. */
  | { readonly kind: "refused"; readonly problem: string }
  /** It is away, or busy. */
  | { readonly kind: "later"; readonly problem: string; readonly afterMs?: number };

/** Where spans go. */
export interface CollectorAddress {
  /** The whole URL that is posted to. */
  readonly url: string;
  /** Sent along, such as a key: secrets. */
  readonly headers: Readonly<Record<string, string>>;
}

const ANSWER_MS_MAX = 10_000;
const ANSWER_BYTES_MAX = 64 * 1024;
const PROBLEM_CHARACTERS_MAX = 200;
/** Those after which OTLP lets a client try again. */
const AGAIN: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** An OpenTelemetry collector, spoken to by OTLP over HTTP with bodies in JSON. One request at a time. */
export class Collector {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  constructor({ url, headers }: CollectorAddress, timeoutMs = ANSWER_MS_MAX) {
    this.#url = new URL(url);
    this.#headers = headers;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = this.#url.protocol === "https:" ? new TlsAgent(options) : new Agent(options);
    this.#timeoutMs = timeoutMs;
  }

  /** Hands a body over. Never rejects. */
  async post(body: string): Promise<CollectorAnswer> {
    try {
      return await this.#post(body);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { kind: "later", problem: code ?? message };
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(body: string): Promise<CollectorAnswer> {
    const send = this.#url.protocol === "https:" ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const request = send(this.#url, {
        method: "POST",
        agent: this.#agent,
        signal: AbortSignal.timeout(this.#timeoutMs),
        headers: {
          ...this.#headers,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        },
      });
      request.on("error", reject);
      request.on("response", (response) => {
        readText(response).then((text) => resolve(answerOf(response, text)), reject);
      });
      request.end(body);
    });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) {
    if (text.length < ANSWER_BYTES_MAX) text += chunk as string;
  }
  return text;
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, text: string): CollectorAnswer {
  if (statusCode >= 200 && statusCode < 300) return takenOf(text);
  const problem = `it answered ${statusCode} ${text.slice(0, PROBLEM_CHARACTERS_MAX)}`.trim();
  if (!AGAIN.has(statusCode)) return { kind: "refused", problem };
  const afterS = Number(headers["retry-after"]);
  return { kind: "later", problem, ...(afterS > 0 && { afterMs: afterS * 1000 }) };
}

/** What a collector that took a batch has left out of it. */
function takenOf(text: string): CollectorAnswer {
  try {
    const { partialSuccess } = JSON.parse(text) as {
      partialSuccess?: { rejectedSpans?: string | number; errorMessage?: string };
    };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    if (!(rejected > 0)) return { kind: "taken", rejected: 0 };
    const said = String(partialSuccess?.errorMessage ?? "").slice(0, PROBLEM_CHARACTERS_MAX);
    return { kind: "taken", rejected, problem: said };
  } catch {
    // An answer in protobuf, or none: it was taken all the same.
    return { kind: "taken", rejected: 0 };
  }
}
