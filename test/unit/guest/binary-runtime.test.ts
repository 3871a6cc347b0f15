import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { InvokeView } from "../../../src/channel/invoke.js";
import { binaryRuntime } from "../../../src/guest/binary-runtime.js";
import type { CallContext } from "../../../src/guest/context.js";
import type { Runtime } from "../../../src/guest/runtime.js";
import { eventuallyOutside } from "../../helpers/eventually.js";

/** In which the node, that looks every 100 ms, tells of an instance that is out of memory. */
const REASON_MAX_MS = 500;

/** Made by a script once it runs; the folder of the code is where it does. */
const READY = "ready";

let codeDir: string;
let runtime: Runtime | undefined;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  codeDir = mkdtempSync(join(tmpdir(), "enoki-binary-"));
});

afterEach(async () => {
  runtime?.close?.();
  vi.useRealTimers();
  await rm(codeDir, { recursive: true });
});

/** Starts a shell script as the function; `abort` is the caller giving up. */
function start(script: string) {
  writeFileSync(join(codeDir, "run"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const load = { codeDir, entry: "run", runtime: "binary", outputBytesMax: 1000, env: {} };
  runtime = binaryRuntime(load as never, "/nowhere");
  const aborter = new AbortController();
  const view = { body: Buffer.alloc(0) } as unknown as InvokeView;
  const context = { signal: aborter.signal } as unknown as CallContext;
  let outcome: unknown = "none yet";
  const ended = Promise.resolve(runtime.start(view, context)).then(
    () => (outcome = "a reply"),
    (error: unknown) => (outcome = error),
  );
  return { ended, outcome: () => outcome, abort: () => aborter.abort() };
}

const isReady = (): Promise<void> => eventuallyOutside(() => existsSync(join(codeDir, READY)));

describe("a program that was killed", () => {
  test.each([
    ["alone", "kill -KILL $$", "signal SIGKILL"],
    ["below its shell", "sh -c 'kill -KILL $$'; exit $?", "exit code 137"],
  ])("%s is told of after 500 ms, and no sooner: the node may know the reason", async (...row) => {
    const [, script, says] = row;
    const { ended, outcome } = start(script);
    await eventuallyOutside(() => vi.getTimerCount() === 1);
    await vi.advanceTimersByTimeAsync(REASON_MAX_MS - 1);
    expect(outcome()).toBe("none yet");
    await vi.advanceTimersByTimeAsync(1);
    await ended;
    expect(outcome()).toMatchObject({ name: "ExitCode" });
    expect(String(outcome())).toContain(says);
  });

  test("because its instance ends is told of at once", async () => {
    const { ended, outcome } = start(`touch ${READY}; exec sleep 60`);
    await isReady();
    runtime?.close?.();
    await ended;
    expect(String(outcome())).toContain("signal SIGKILL");
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("a program that ended by itself is told of at once", async () => {
  const { ended, outcome } = start("echo no disk >&2; exit 3");
  await ended;
  expect(String(outcome())).toContain("exit code 3: no disk");
  expect(vi.getTimerCount()).toBe(0);
});

test("one that does not heed that its caller is gone is killed 500 ms later, and no sooner", async () => {
  const { ended, outcome, abort } = start(`trap : TERM; touch ${READY}; while :; do :; done`);
  await isReady();
  abort();
  await vi.advanceTimersByTimeAsync(REASON_MAX_MS - 1);
  expect(outcome()).toBe("none yet");
  await vi.advanceTimersByTimeAsync(1);
  await ended;
  expect(String(outcome())).toContain("signal SIGKILL");
});
