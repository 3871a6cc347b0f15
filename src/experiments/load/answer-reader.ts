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
  /** `undefined` = until the connection ends. */
  readonly bodyBytes: number | undefined;
  readonly isKept: boolean;
}

/**
 * Reads the answers of one HTTP/1.1 connection. why not Node's client: that takes several times as
 * long as what is measured here, on the processors of what is measured.
 */
export class AnswerReader {
  #head: Head | undefined;
  #read: Buffer = EMPTY;

  /** Takes what has arrived; the answer once it is whole. @throws Error for a body in chunks */
  push(chunk: Buffer): ReadAnswer | undefined {
    this.#read = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk]);
    if (!this.#head) {
      const end = this.#read.indexOf(HEAD_END);
      if (end === -1) return undefined;
      this.#head = parseHead(this.#read.toString("latin1", 0, end));
      this.#read = this.#read.subarray(end + HEAD_END.length);
    }
    const { bodyBytes } = this.#head;
    return bodyBytes !== undefined && this.#read.length >= bodyBytes ? this.#take() : undefined;
  }

  /** The connection has ended: the answer, if that is what ended it. */
  end(): ReadAnswer | undefined {
    return this.#head && this.#head.bodyBytes === undefined ? this.#take() : undefined;
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
  if (/^transfer-encoding:/im.test(head)) throw new Error("an answer in chunks is not read here");
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  const isEmpty = status === 204 || status === 304;
  const bodyBytes = isEmpty ? 0 : length === undefined ? undefined : Number(length);
  return { status, bodyBytes, isKept: !/^connection: *close/im.test(head) };
}
