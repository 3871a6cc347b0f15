import { spawn, type ChildProcess } from "node:child_process";
import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import type { InvokeView } from "../channel/invoke.js";
import { EnokiError } from "../core/errors.js";
import type { CallContext } from "./context.js";
import { Reply } from "./reply.js";
import type { LoadRequest, Runtime } from "./runtime.js";

/** Processes at once per instance. */
const CONCURRENCY_BINARY = 16;
/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 500;
/**
 * The kernel may end a program alone for the memory of its whole instance; the node looks for that more
 * often than this, and then tells the reason instead of a signal.
 */
const OUT_OF_MEMORY_SEEN_MS = 500;
/** As a shell tells that what it ran was killed. */
const SHELL_KILLED = 128 + 9;
const STDERR_KEPT_BYTES = 8 * 1024;

/** A program that did not end with 0. The name is what the caller sees as `errorType`. */
export class ExitCodeError extends Error {
  override readonly name = "ExitCode";
}

/**
 * The runtimes `binary` and `tinyfaas-binary`: one process per call, body on stdin, result on
 * stdout. The result is text when it is UTF-8, otherwise bytes. stderr is the log; tinyFaaS counts
 * it to the result instead.
 */
export function binaryRuntime(load: LoadRequest, kvSocket: string): Runtime {
  const program = new Program(load, kvSocket);
  return {
    concurrency: CONCURRENCY_BINARY,
    start: (view, context) => program.run(view, context),
    close: () => program.close(),
  };
}

class Program {
  readonly #load: LoadRequest;
  readonly #kvSocket: string;
  readonly #children = new Set<ChildProcess>();
  /** Resolves a turn after the latest program was started. */
  #started: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(load: LoadRequest, kvSocket: string) {
    this.#load = load;
    this.#kvSocket = kvSocket;
  }

  async run(view: InvokeView, context: CallContext): Promise<Reply> {
    // why: to start a process holds the event loop. Many in a row would leave the node's ping
    // unanswered for so long that it ends the instance.
    const isMyTurn = this.#started;
    this.#started = isMyTurn.then(() => new Promise((resolve) => setImmediate(resolve)));
    await isMyTurn;
    if (this.#isClosed || context.signal.aborted) throw new ExitCodeError("never started");
    return await this.#start(view, context);
  }

  #start(view: InvokeView, context: CallContext): Promise<Reply> {
    // A process group of its own, so that what the program starts ends with it.
    const child = spawn(join(this.#load.codeDir, this.#load.entry), [], {
      cwd: this.#load.codeDir,
      env: this.#environment(view),
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#children.add(child);
    child.stdin.on("error", () => {}); // a program need not read its input
    child.stdin.end(view.body);
    const output = collect(child, this.#load);
    const onAbort = (): void => endGroup(child);
    context.signal.addEventListener("abort", onAbort, { once: true });
    return new Promise((resolve, reject) => {
      child.once("error", (error) => {
        this.#children.delete(child);
        reject(error);
      });
      child.once("close", (code, signal) => {
        this.#children.delete(child);
        context.signal.removeEventListener("abort", onAbort);
        if (code === 0 && !output.isTooLarge) {
          resolve(toBinaryReply(output.result()));
          return;
        }
        const isKilled = signal === "SIGKILL" || code === SHELL_KILLED;
        const isByUs = this.#isClosed || context.signal.aborted || output.isTooLarge;
        const fail = (): void => reject(toExitError(code, signal, output));
        if (isKilled && !isByUs) setTimeout(fail, OUT_OF_MEMORY_SEEN_MS);
        else fail();
      });
    });
  }

  /** Ends every process at once. */
  close(): void {
    this.#isClosed = true;
    for (const child of this.#children) killGroup(child, "SIGKILL");
  }

  #environment(view: InvokeView): NodeJS.ProcessEnv {
    return {
      ...process.env,
      ENOKI_FUNCTION: this.#load.function,
      ENOKI_KEYGROUP: this.#load.keygroup,
      ENOKI_KV_SOCKET: this.#kvSocket,
      ENOKI_INVOCATION_ID: view.invocationId,
      ENOKI_METHOD: view.method,
      ENOKI_PATH: view.path,
      ENOKI_QUERY: view.query,
      ENOKI_CONTENT_TYPE: view.contentType,
      ENOKI_IDEMPOTENCY_KEY: view.idempotencyKey,
    };
  }
}

interface Output {
  result(): Buffer;
  /** The end of stderr. */
  errorText: string;
  isTooLarge: boolean;
}

function collect(child: ChildProcess, load: LoadRequest): Output {
  const chunks: Buffer[] = [];
  const output: Output = { result: () => Buffer.concat(chunks), errorText: "", isTooLarge: false };
  let sizeBytes = 0;
  const keep = (chunk: Buffer): void => {
    sizeBytes += chunk.length;
    if (sizeBytes <= load.outputBytesMax) chunks.push(chunk);
    else if (!output.isTooLarge) {
      output.isTooLarge = true;
      endGroup(child);
    }
  };
  const isMixed = load.runtime === "tinyfaas-binary";
  child.stdout?.on("data", keep);
  child.stderr?.on("data", (chunk: Buffer) => {
    const text = chunk.toString("utf8");
    output.errorText = (output.errorText + text).slice(-STDERR_KEPT_BYTES);
    if (isMixed) keep(chunk);
    else process.stderr.write(text);
  });
  return output;
}

function toBinaryReply(bytes: Buffer): Reply {
  if (bytes.length === 0) return new Reply(undefined);
  return new Reply(bytes, 0, isUtf8(bytes) ? "text/plain; charset=utf-8" : undefined);
}

function toExitError(code: number | null, signal: string | null, output: Output): Error {
  if (output.isTooLarge) return new EnokiError("ENOKI_OUTPUT_TOO_LARGE");
  const lastLine = output.errorText.trimEnd().split("\n").at(-1) ?? "";
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return new ExitCodeError(lastLine === "" ? how : `${how}: ${lastLine}`);
}

function endGroup(child: ChildProcess): void {
  killGroup(child, "SIGTERM");
  setTimeout(() => killGroup(child, "SIGKILL"), GRACE_MS).unref();
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // No process of the group is left.
  }
}
