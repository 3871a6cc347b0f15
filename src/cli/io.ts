import type { Readable, Writable } from "node:stream";
import { once } from "node:events";

/** What the command line touches of the process that it runs in. */
export interface Io {
  readonly stdin: Readable;
  /** Results only. */
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Progress, notices and errors. */
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls `listener` at each SIGINT and SIGTERM until the returned function is called. */
  readonly onSignal: (listener: () => void) => () => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/** Writes to `stream` and waits while it is full. */
export async function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  if (!stream.write(chunk)) await once(stream, "drain");
}

/** Reads all of `stream`. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array | string));
  return Buffer.concat(chunks);
}

/** A signal that aborts at the first SIGINT or SIGTERM; the caller calls `release` at the end. */
export function untilSignal(io: Io): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  const release = io.onSignal(() => controller.abort());
  return { signal: controller.signal, release };
}
