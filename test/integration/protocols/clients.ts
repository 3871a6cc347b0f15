import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";

import {
  encodeEmpty,
  encodeMessage,
  parseDatagram,
  TYPE,
  type CoapMessage,
} from "../../../src/gateway/coap/message.js";
import { OPTION } from "../../../src/gateway/coap/options.js";

const EMPTY = Buffer.alloc(0);
/** No other message of a test has it. */
const PING_ID = 60_000;

/** libcoap's client, under whichever name it is installed; `undefined` if it is not. */
export const COAP_CLIENT = ["coap-client", "coap-client-notls", "coap-client-openssl"].find(
  (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0,
);

/** A Python that has grpc; `undefined` if none has. */
export const GRPC_PYTHON = ["/usr/bin/python3", "python3"].find(
  (name) => spawnSync(name, ["-c", "import grpc"]).status === 0,
);

/** What coap-client printed. */
export interface CoapOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs libcoap's client with these arguments. */
export async function coapClient(...args: readonly string[]): Promise<CoapOutput> {
  return await new Promise((resolve) => {
    const options = { maxBuffer: 64 * 1024 * 1024 };
    execFile(COAP_CLIENT ?? "", args, options, (_error, stdout, stderr) => {
      resolve({ stdout, stderr });
    });
  });
}

/** A UDP socket that speaks CoAP message by message. */
export class CoapSocket {
  readonly #socket = createSocket("udp4");
  readonly #port: number;
  readonly #arrived: CoapMessage[] = [];
  #waiting: (() => void) | undefined;
  #nextMessageId = 1;

  private constructor(port: number) {
    this.#port = port;
    this.#socket.on("message", (datagram) => {
      const parsed = parseDatagram(datagram);
      if (parsed.kind !== "message") throw new Error(`no message: ${datagram.toString("hex")}`);
      this.#arrived.push(parsed.message);
      this.#waiting?.();
    });
  }

  /** Opens a socket towards `coap://HOST:PORT`. */
  static async open(address: string): Promise<CoapSocket> {
    const opened = new CoapSocket(Number(new URL(address).port));
    opened.#socket.bind(0, "127.0.0.1");
    await once(opened.#socket, "listening");
    return opened;
  }

  /** Sends bytes as they are. */
  send(datagram: Buffer): void {
    this.#socket.send(datagram, this.#port, "127.0.0.1");
  }

  /** A request for a path such as `/name/more`, of an id that was not used before. */
  request(path: string, options: Partial<CoapMessage> = {}): Buffer {
    const segments = path.split("/").slice(1);
    const uriPath = segments.map((part) => ({ number: OPTION.uriPath, value: Buffer.from(part) }));
    return encodeMessage({
      type: TYPE.confirmable,
      code: 1,
      messageId: this.#nextMessageId++,
      token: EMPTY,
      payload: EMPTY,
      ...options,
      options: [...uriPath, ...(options.options ?? [])],
    });
  }

  /** The next message that arrives. */
  async next(): Promise<CoapMessage> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message) return message;
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
  }

  /** The next message that is not empty: an answer may be announced by an acknowledgement. */
  async nextAnswer(): Promise<CoapMessage> {
    for (;;) {
      const message = await this.next();
      if (message.code !== 0) return message;
    }
  }

  /** Sends a request and gives its answer. */
  async ask(path: string, options: Partial<CoapMessage> = {}): Promise<CoapMessage> {
    this.send(this.request(path, options));
    return await this.nextAnswer();
  }

  /** Pings, and gives what has arrived before the answer to that. */
  async ping(): Promise<CoapMessage[]> {
    const messageId = PING_ID;
    this.send(encodeEmpty(TYPE.confirmable, messageId));
    const before: CoapMessage[] = [];
    for (;;) {
      const message = await this.next();
      if (message.type === TYPE.reset && message.messageId === messageId) return before;
      before.push(message);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** One call of the Python client. */
export interface GrpcCall {
  readonly name?: string;
  readonly data?: string;
  /** How often the data are repeated. */
  readonly times?: number;
  /** A message in hexadecimal, in place of name and data. */
  readonly raw?: string;
  readonly method?: string;
  readonly metadata?: readonly (readonly [string, string])[];
  /** Seconds. */
  readonly timeout?: number;
  readonly gzip?: boolean;
  readonly cancel?: boolean;
}

/** What it came to. */
export interface GrpcResult {
  readonly code: string;
  readonly details: string | null;
  readonly response: string | null;
  readonly initial: Readonly<Record<string, string>>;
  readonly trailing: Readonly<Record<string, string>>;
}

/** Python's gRPC client on one channel; calls are made one after the other. */
export class GrpcClient {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcess, lines: Interface) {
    this.#process = process;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  static async open(target: string): Promise<GrpcClient> {
    const script = join(import.meta.dirname, "grpc_client.py");
    const stdio = ["pipe", "pipe", "inherit"] as const;
    const child = spawn(GRPC_PYTHON ?? "", [script, target], { stdio: [...stdio] });
    const client = new GrpcClient(child, createInterface({ input: child.stdout as never }));
    await client.#lines.next();
    return client;
  }

  async call(call: GrpcCall): Promise<GrpcResult> {
    this.#process.stdin?.write(`${JSON.stringify(call)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the client ended");
    return JSON.parse(value as string) as GrpcResult;
  }

  async close(): Promise<void> {
    const ended = once(this.#process, "close");
    this.#process.stdin?.end();
    await ended;
  }
}
