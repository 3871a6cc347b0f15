import { Readable, Writable } from "node:stream";

import type { Serve } from "../../../src/cli/commands/up.js";
import type { Io } from "../../../src/cli/io.js";
import { run } from "../../../src/cli/program.js";

/** What a run of the command line left behind. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

/** What a test gives to a run. */
export interface CliOptions {
  /** Address that `ENOKI_NODE` names. */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array;
  readonly isTTY?: boolean;
  readonly serve?: Serve;
  /** Gets the function that acts as a signal from outside. */
  readonly onStart?: (signal: () => void) => void;
  readonly onExit?: (code: number) => void;
  /** Sees what stdout holds so far, at each write. */
  readonly onStdout?: (text: string) => void;
}

const noServe: Serve = () => Promise.reject(new Error("this test starts no node"));

/** Runs the command line in this process with streams that are kept. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliResult> {
  const stdout = new Kept(options.onStdout);
  const stderr = new Kept();
  const listeners = new Set<() => void>();
  options.onStart?.(() => {
    for (const listener of listeners) listener();
  });
  const io: Io = {
    stdin: Readable.from([Buffer.from(options.stdin ?? "")]),
    stdout: Object.assign(stdout, { isTTY: options.isTTY === true }),
    stderr,
    env: { ...(options.node === undefined ? {} : { ENOKI_NODE: options.node }), ...options.env },
    onSignal: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    exit: (code) => options.onExit?.(code),
  };
  const code = await run(args, io, options.serve ?? noServe);
  return { code, stdout: stdout.text, stdoutBytes: stdout.bytes, stderr: stderr.text };
}

class Kept extends Writable {
  readonly #chunks: Buffer[] = [];
  readonly #onWrite: ((text: string) => void) | undefined;

  constructor(onWrite?: (text: string) => void) {
    super();
    this.#onWrite = onWrite;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#chunks.push(Buffer.from(chunk));
    this.#onWrite?.(this.text);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }
}
