import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FRAME, INVOKE_FLAG, FrameReader, FrameWriter } from "../../src/channel/frames.js";
import { decodeResult, encodeInvoke, joinHeaders, splitHeaders } from "../../src/channel/invoke.js";
import { FakeKeygroup } from "./fake-keygroup.js";

/** What a test sends. */
export interface TestCall {
  method?: string;
  path?: string;
  query?: string;
  contentType?: string;
  idempotencyKey?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  timeoutMs?: number;
  /** 32 hexadecimal digits. */
  invocationId?: string;
  /** Tells the guest that calls may come before this one is answered. */
  guard?: boolean;
}

/** What came back: a result, or why there is none. */
export interface TestOutcome {
  status?: number;
  contentType?: string;
  headers?: Record<string, string>;
  text?: string;
  bytes?: Buffer;
  /** True where the guest gave the call back. */
  returned?: true;
  failed?: { errorType: string; message: string; traceback: string; code: string };
}

export interface TestLog {
  callId: number;
  stream: number;
  text: string;
}

const folder = mkdtempSync(join(tmpdir(), "enoki-guest-test-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
// why: the runner ends its workers by this signal, which alone would end them without the line above.
process.once("SIGTERM", () => process.exit());

/** A folder for files of this test run; removed when it ends. */
export const TEST_FOLDER = folder;

/** The node's end of one function channel: what the guest sends is kept, operations are answered. */
export class FakeNode {
  keygroup = new FakeKeygroup();
  readonly logs: TestLog[] = [];
  /** What the guest told of its pace: whether its calls wait for nothing. */
  readonly paces: boolean[] = [];
  readonly writer: FrameWriter;
  readonly exited: Promise<number | null>;
  /** Payload of READY or LOAD_FAILED. */
  loaded: Record<string, unknown> = {};
  /** Reads of the channel so far. */
  readsTotal = 0;
  /** While true, operations wait; see {@link releaseOperations}. */
  holdOperations = false;
  readonly #held: (() => void)[] = [];
  readonly #waiting = new Map<number, (outcome: TestOutcome) => void>();
  readonly #pongs = new Map<number, () => void>();
  readonly #socket: Socket;
  #onLoaded: (() => void) | undefined;
  #lastCallId = 0;
  #onChange: (() => void)[] = [];
  readonly codeDir = mkdtempSync(join(folder, "code-"));

  constructor(socket: Socket, exited: Promise<number | null>) {
    this.#socket = socket;
    this.exited = exited;
    this.#socket.on("error", () => {});
    this.writer = new FrameWriter(this.#socket);
    const reader = new FrameReader();
    this.#socket.on("data", (chunk: Buffer) => {
      this.readsTotal += 1;
      reader.push(chunk, (type, id, payload) => this.#onFrame(type, id, payload));
      for (const check of this.#onChange) check();
    });
    void this.exited.then(() => {
      for (const done of this.#waiting.values()) done({});
      this.#onLoaded?.();
    });
  }

  /** Writes `files` into the code folder and sends LOAD. */
  async load(
    files: Readonly<Record<string, string>>,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<Record<string, unknown>> {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.codeDir, name)), { recursive: true });
      writeFileSync(join(this.codeDir, name), text, { mode: 0o755 });
    }
    const load = {
      protocol: 1,
      runtime: "node",
      entry: Object.keys(files)[0],
      codeDir: this.codeDir,
      depsDir: null,
      function: "fn",
      keygroup: "fn",
      revision: 1,
      env: {},
      outputBytesMax: 16 * 1024 * 1024,
      timeoutMs: 5000,
      ...options,
    };
    const loaded = new Promise<void>((resolve) => (this.#onLoaded = resolve));
    this.writer.frame(FRAME.load, 0, JSON.stringify(load));
    await loaded;
    return this.loaded;
  }

  /** Sends a call and returns its id and its outcome. */
  begin(call: TestCall = {}): { id: number; outcome: Promise<TestOutcome> } {
    const id = ++this.#lastCallId;
    const idBytes = Buffer.from(call.invocationId ?? id.toString(16).padStart(32, "0"), "hex");
    const request = {
      method: call.method ?? "POST",
      path: call.path ?? "",
      query: call.query ?? "",
      contentType: call.contentType ?? "",
      idempotencyKey: call.idempotencyKey ?? "",
      headers: joinHeaders(Object.entries(call.headers ?? {}).flat()),
      body: call.body === undefined ? undefined : Buffer.from(call.body as string),
    };
    const flags = call.guard === true ? INVOKE_FLAG.guard : 0;
    encodeInvoke(this.writer, id, call.timeoutMs ?? 5000, idBytes, request, flags);
    return { id, outcome: new Promise((resolve) => this.#waiting.set(id, resolve)) };
  }

  /** Sends a call and waits for its outcome. */
  call(call: TestCall | string = {}): Promise<TestOutcome> {
    return this.begin(typeof call === "string" ? { body: call } : call).outcome;
  }

  cancel(callId: number): void {
    this.writer.frame(FRAME.cancel, callId);
  }

  async ping(id: number): Promise<void> {
    const pong = new Promise<void>((resolve) => this.#pongs.set(id, resolve));
    this.writer.frame(FRAME.ping, id);
    await pong;
  }

  /** Tells the guest of a change that its watch is to see. */
  event(watchId: number, event: Readonly<Record<string, unknown>>): void {
    this.writer.frame(FRAME.event, watchId, JSON.stringify(event));
  }

  stop(): void {
    this.writer.frame(FRAME.stop, 0);
  }

  releaseOperations(): void {
    this.holdOperations = false;
    for (const release of this.#held.splice(0)) release();
  }

  get heldOperations(): number {
    return this.#held.length;
  }

  /** Waits until `condition` holds; it is looked at after every read of the channel. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#onChange = this.#onChange.filter((other) => other !== check);
        resolve();
      };
      this.#onChange.push(check);
      check();
    });
  }

  /** Closes the channel, which ends the guest. */
  async close(): Promise<void> {
    this.#socket.destroy();
    await this.exited;
    rmSync(this.codeDir, { recursive: true, force: true });
  }

  #onFrame(type: number, id: number, payload: Buffer): void {
    switch (type) {
      case FRAME.ready:
      case FRAME.loadFailed:
        this.loaded = JSON.parse(payload.toString()) as Record<string, unknown>;
        return this.#onLoaded?.();
      case FRAME.result:
        return this.#finish(id, toOutcome(payload));
      case FRAME.returned:
        return this.#finish(id, { returned: true });
      case FRAME.pace:
        this.paces.push(payload[0] === 1);
        return;
      case FRAME.failed:
        return this.#finish(id, { failed: JSON.parse(payload.toString()) });
      case FRAME.log: {
        const text = payload.toString("utf8", 1);
        this.logs.push({ callId: id, stream: payload[0] as number, text });
        return;
      }
      case FRAME.pong:
        return this.#pongs.get(id)?.();
      case FRAME.operation:
        if (this.holdOperations) {
          this.#held.push(() => this.keygroup.answer(this.writer, id, payload));
        } else this.keygroup.answer(this.writer, id, payload);
        return;
      default:
        throw new Error(`frame ${type}`);
    }
  }

  #finish(id: number, outcome: TestOutcome): void {
    this.#waiting.get(id)?.(outcome);
    if (!this.#waiting.delete(id)) throw new Error(`call ${id} was answered twice`);
  }
}

function toOutcome(payload: Buffer): TestOutcome {
  const { status, contentType, headers, body } = decodeResult(payload);
  const parts = splitHeaders(headers);
  const pairs: [string, string][] = [];
  for (let i = 0; i < parts.length; i += 2) pairs.push([parts[i]!, parts[i + 1]!]);
  return {
    status,
    contentType,
    headers: Object.fromEntries(pairs),
    text: body.toString(),
    bytes: body,
  };
}
