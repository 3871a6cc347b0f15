/** What came back for a request. */
export interface Answer {
  /** The HTTP status; 0 = there was no answer. */
  readonly status: number;
  readonly body: Buffer;
}

/** An answer, and whether the connection may be used again. */
interface ReadAnswer extends Answer {
  readonly isKept: boolean;
}

const EMPTY = Buffer.alloc(0);
/** No answer. */
export const NOTHING: Answer = { status: 0, body: EMPTY };

const HEAD_END = "\r\n\r\n";

/** What the head of an answer says. */
interface Head {
  readonly status: number;
  /** `undefined` = until the connection ends, or in chunks. */
  readonly bodyBytes: number | undefined;
  readonly isChunked: boolean;
  readonly isKept: boolean;
}

/**
 * Reads the answers of one HTTP/1.1 connection. why not Node's client: that takes several times as
 * long as what is measured here, on the processors of what is measured.
 */
export class AnswerReader {
  #head: Head | undefined;
  #read: Buffer = EMPTY;

  /** Takes what has arrived; the answer once it is whole. */
  push(chunk: Buffer): ReadAnswer | undefined {
    this.#read = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk]);
    if (!this.#head) {
      const end = this.#read.indexOf(HEAD_END);
      if (end === -1) return undefined;
      this.#head = parseHead(this.#read.toString("latin1", 0, end));
      this.#read = this.#read.subarray(end + HEAD_END.length);
    }
    const { bodyBytes, isChunked } = this.#head;
    if (isChunked) {
      const body = joinChunks(this.#read);
      if (!body) return undefined;
      this.#read = body;
      return this.#take();
    }
    return bodyBytes !== undefined && this.#read.length >= bodyBytes ? this.#take() : undefined;
  }

  /** The connection has ended: the answer, if that is what ended it. */
  end(): ReadAnswer | undefined {
    const { bodyBytes, isChunked } = this.#head ?? {};
    return isChunked === false && bodyBytes === undefined ? this.#take() : undefined;
  }

  #take(): ReadAnswer {
    const { status, isKept } = this.#head as Head;
    const body = this.#read;
    this.#head = undefined;
    this.#read = EMPTY;
    return { status, body, isKept };
  }
}

function parseHead(head: string): Head {
  const status = Number(head.slice(9, 12));
  const isChunked = /^transfer-encoding: *chunked/im.test(head);
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  const isEmpty = status === 204 || status === 304;
  const bodyBytes = isEmpty ? 0 : length === undefined ? undefined : Number(length);
  return { status, bodyBytes, isChunked, isKept: !/^connection: *close/im.test(head) };
}

/** The body that lies in chunks without trailers (RFC 9112, section 7.1); `undefined` while some are missing. */
function joinChunks(read: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = read.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const sizeBytes = Number.parseInt(read.toString("latin1", at, lineEnd), 16);
    const begin = lineEnd + 2;
    if (!(read.length >= begin + sizeBytes + 2)) return undefined;
    if (sizeBytes === 0) return Buffer.concat(parts);
    parts.push(read.subarray(begin, begin + sizeBytes));
    at = begin + sizeBytes + 2;
  }
}
