import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Prng } from "../../../src/base/prng.js";
import { run } from "./programs.js";

/** What a traced program did, in the order of the trace: `begin` and `end` are positions in it. */
export type DiskEvent = { readonly begin: number; readonly end: number } & (
  | {
      readonly kind: "write";
      readonly file: string;
      readonly offset: number;
      readonly data: Buffer;
      readonly isSynchronous: boolean;
    }
  | { readonly kind: "sync"; readonly file: string }
  | { readonly kind: "print"; readonly text: string }
);

/** Content of the files of one folder by name. */
export type DiskImage = ReadonlyMap<string, Buffer>;

const TRACED =
  "openat,creat,lseek,write,writev,pwrite64,pwritev,pwritev2,ftruncate,fallocate,fsync,fdatasync,msync,sync,syncfs,sync_file_range,rename,unlink,sendfile,copy_file_range,io_uring_enter";

/** Why system calls cannot be traced here; `undefined` if they can. */
export function whyNoTrace(): string | undefined {
  if (process.platform !== "linux") return "strace needs Linux";
  const probe = spawnSync("strace", ["-o", "/dev/null", "true"], { encoding: "utf8" });
  if (probe.error) return "strace is missing: `npm run setup` installs it";
  return probe.status === 0 ? undefined : `strace may not trace here: ${probe.stderr.trim()}`;
}

/** Runs a node program and returns what it wrote in `folder`, synced and printed. */
export async function traceProgram(
  folder: string,
  traceFile: string,
  args: readonly string[],
): Promise<DiskEvent[]> {
  await run("strace", [
    "-f",
    "-y",
    "-v",
    "-xx",
    "-s",
    "4000000",
    "-e",
    `trace=${TRACED}`,
    "-o",
    traceFile,
    process.execPath,
    ...args,
  ]);
  return parseTrace(folder, await readFile(traceFile, "latin1"));
}

/** One system call, and where it begins and ends in the trace. */
export interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: number;
  readonly begin: number;
  readonly end: number;
}

function parseTrace(folder: string, trace: string): DiskEvent[] {
  const events: DiskEvent[] = [];
  const synchronous = new Set<string>();
  const positions = new Map<string, number>();
  for (const call of joinCalls(trace)) {
    if (call.result < 0) continue;
    if (call.name === "openat") {
      const path = unhex(/"([^"]*)"/.exec(call.args)?.[1] ?? "").toString();
      if (dirname(path) === folder && call.args.includes("O_DSYNC"))
        synchronous.add(basename(path));
      continue;
    }
    const event = toEvent(folder, call, positions);
    if (event) events.push(event);
  }
  // LMDB keeps a synchronous descriptor of its file too, which it does not use without syncs.
  synchronous.delete("data.mdb");
  return events.map((event) =>
    event.kind === "write" ? { ...event, isSynchronous: synchronous.has(event.file) } : event,
  );
}

/** Joins the halves of calls that another thread's call interrupted in the trace. */
export function joinCalls(trace: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { text: string; begin: number }>();
  trace.split("\n").forEach((line, position) => {
    const [, pid = "", rest = ""] = /^(\d+) +([^]*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>/.exec(rest);
    if (rest.endsWith("<unfinished ...>")) {
      unfinished.set(pid, { text: rest.slice(0, -"<unfinished ...>".length), begin: position });
      return;
    }
    const start = resumed ? unfinished.get(pid) : undefined;
    const text = start && resumed ? start.text + rest.slice(resumed[0].length) : rest;
    const opening = text.indexOf("(");
    const closing = text.lastIndexOf(") ");
    const result = /^\) += (-?\d+)/.exec(text.slice(closing))?.[1];
    if (opening < 0 || result === undefined) return;
    calls.push({
      name: text.slice(0, opening),
      args: text.slice(opening + 1, closing),
      result: Number(result),
      begin: start?.begin ?? position,
      end: position,
    });
  });
  return calls;
}

/** `positions` has the position of each descriptor that was moved to one. */
function toEvent(
  folder: string,
  call: Call,
  positions: Map<string, number>,
): DiskEvent | undefined {
  const { name, args, result, begin, end } = call;
  const descriptor = /^(\d+)<([^>]*)>/.exec(args);
  if (!descriptor) return undefined;
  if (name === "write" && descriptor[1] === "1")
    return { kind: "print", text: dataOf(args, result).toString(), begin, end };
  const path = unhex(descriptor[2] as string).toString();
  if (dirname(path) !== folder) return undefined;
  const file = basename(path);
  const data = (): Buffer => dataOf(args, result);
  switch (name) {
    case "fsync":
    case "fdatasync":
      return { kind: "sync", file, begin, end };
    case "lseek":
      positions.set(descriptor[0], result);
      return undefined;
    case "writev": {
      const offset = positions.get(descriptor[0]);
      if (offset === undefined)
        throw new Error(`the replay does not know where ${file} was written`);
      positions.set(descriptor[0], offset + result);
      return { kind: "write", file, offset, data: data(), isSynchronous: false, begin, end };
    }
    case "pwrite64":
    case "pwritev": {
      const offset = Number(args.slice(args.lastIndexOf(",") + 1));
      return { kind: "write", file, offset, data: data(), isSynchronous: false, begin, end };
    }
  }
  // The lock file holds nothing that outlives the processes that have it open.
  if (file === "lock.mdb") return undefined;
  throw new Error(`the replay does not know ${name} on ${file}`);
}

function dataOf(args: string, sizeBytes: number): Buffer {
  const data = Buffer.concat(
    [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex]) => unhex(hex as string)),
  );
  if (data.length !== sizeBytes)
    throw new Error(`the trace has ${data.length} of ${sizeBytes} bytes written`);
  return data;
}

function unhex(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

/** Which bytes of a write that no sync covers reach the disk all the same: ranges within its data. */
export type Survival = (write: {
  readonly data: Buffer;
  readonly offset: number;
}) => { from: number; to: number }[];

/** Nothing that no sync covers reaches the disk. */
export const nothingSurvives: Survival = () => [];

/** Each such write is lost, reaches the disk whole, or is torn between sectors of 512 bytes. */
export function someSectorsSurvive(prng: Prng): Survival {
  return ({ data, offset }) => {
    const fate = prng.below(3);
    if (fate === 0) return [];
    if (fate === 1) return [{ from: 0, to: data.length }];
    const ranges = [];
    for (let from = 0; from < data.length;) {
      const to = Math.min(data.length, from + 512 - ((offset + from) % 512));
      if (prng.below(2) === 0) ranges.push({ from, to });
      from = to;
    }
    return ranges;
  };
}

/** The files as a power cut at position `cut` of the trace leaves them. */
export function imageAfterPowerCut(
  before: DiskImage,
  events: readonly DiskEvent[],
  cut: number,
  survival: Survival,
): DiskImage {
  const image = new Map<string, Buffer>(before);
  for (const [file, content] of before) image.set(file, Buffer.from(content));
  const syncBegins = new Map<string, number>();
  for (const event of events) {
    if (event.kind === "sync" && event.end < cut) syncBegins.set(event.file, event.begin);
  }
  for (const event of events) {
    if (event.kind !== "write" || event.begin >= cut) continue;
    const coveredUntil = event.isSynchronous ? cut : (syncBegins.get(event.file) ?? -1);
    const ranges =
      event.end < coveredUntil ? [{ from: 0, to: event.data.length }] : survival(event);
    for (const { from, to } of ranges) {
      image.set(
        event.file,
        overlay(image.get(event.file), event.offset + from, event.data.subarray(from, to)),
      );
    }
  }
  return image;
}

function overlay(content: Buffer = Buffer.alloc(0), offset: number, data: Buffer): Buffer {
  const end = offset + data.length;
  const grown = end > content.length ? Buffer.concat([content], end) : content;
  data.copy(grown, offset);
  return grown;
}
