import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { ForkServer } from "../../../src/runtimes/fork-server.js";
import type { ProcessEnd, ProcessHandle } from "../../../src/runtimes/spawned-process.js";
import { eventuallyOutside } from "../../helpers/eventually.js";

const START_MAX_MS = 30_000;
const CONTROL = 0x01;

/** The process of a fork server that says only what the test says. */
class SilentServer {
  readonly asked: Buffer[] = [];
  readonly handle: ProcessHandle;
  readonly #channel: Duplex;

  constructor() {
    let end = (_end: ProcessEnd): void => {};
    const ended = new Promise<ProcessEnd>((resolve) => (end = resolve));
    this.#channel = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        this.asked.push(chunk);
        done();
      },
    });
    const kill = (): void => end({ code: null, signal: "SIGKILL" });
    const handle = { pid: 0, channel: this.#channel, ended, kill, hasEnded: false };
    this.handle = handle as unknown as ProcessHandle;
  }

  say(event: object): void {
    const payload = Buffer.from(JSON.stringify(event));
    const header = Buffer.alloc(9);
    header.writeUInt32LE(payload.length + 5, 0);
    header.writeUInt8(CONTROL, 4);
    this.#channel.push(Buffer.concat([header, payload]));
  }
}

let runDir: string;
let process: SilentServer;
let server: ForkServer;
const children: ChildProcess[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  runDir = mkdtempSync(join(tmpdir(), "enoki-forks-"));
  process = new SilentServer();
  const guardian = { add: () => {}, remove: () => {} } as never;
  server = new ForkServer({ handle: process.handle, runDir, guardian });
});

afterEach(async () => {
  await server.close();
  vi.useRealTimers();
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(runDir, { recursive: true });
});

/** Asks for an instance, and lets the time begin in which it must come. */
async function ask(): Promise<{
  readonly fork: Promise<unknown>;
  readonly outcome: () => unknown;
}> {
  let outcome: unknown = "none yet";
  const fork = server.fork().then(
    () => (outcome = "an instance"),
    (error: unknown) => (outcome = error),
  );
  const before = process.asked.length;
  await eventuallyOutside(() => process.asked.length > before);
  return { fork, outcome: () => outcome };
}

test("a fork that nobody answers is given up after 30 s, and no sooner", async () => {
  const { fork, outcome } = await ask();
  await vi.advanceTimersByTimeAsync(START_MAX_MS - 1);
  expect(outcome()).toBe("none yet");
  await vi.advanceTimersByTimeAsync(1);
  await fork;
  expect(outcome()).toMatchObject({ code: "ENOKI_RUNTIME_UNAVAILABLE" });
  expect(String(outcome())).toContain("did not answer");
});

test("an instance that comes after it was given up is ended", async () => {
  const { fork } = await ask();
  await vi.advanceTimersByTimeAsync(START_MAX_MS);
  await fork;
  const late = spawn("sleep", ["60"]);
  children.push(late);
  process.say({ event: "forked", id: 1, pid: late.pid });
  expect(await once(late, "exit")).toEqual([null, "SIGKILL"]);
});

test("one that reports but never connects is given up and ended", async () => {
  const { fork, outcome } = await ask();
  const mute = spawn("sleep", ["60"]);
  children.push(mute);
  process.say({ event: "forked", id: 1, pid: mute.pid });
  const exited = once(mute, "exit");
  await vi.advanceTimersByTimeAsync(START_MAX_MS);
  await fork;
  expect(outcome()).toMatchObject({ code: "ENOKI_RUNTIME_UNAVAILABLE" });
  expect(await exited).toEqual([null, "SIGKILL"]);
});

test("a fork that fails or whose server ends fails at once and leaves no timer", async () => {
  const failing = await ask();
  process.say({ event: "failed", id: 1, message: "no memory for it" });
  await failing.fork;
  expect(String(failing.outcome())).toContain("no memory for it");
  const lost = await ask();
  process.handle.kill();
  await lost.fork;
  expect(String(lost.outcome())).toContain("has ended");
  expect(vi.getTimerCount()).toBe(0);
});
