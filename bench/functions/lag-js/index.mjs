import { setTimeout as delay } from "node:timers/promises";

import { kv } from "enoki";

const VALUE_BYTES = 100;
const PAUSE_MS = 2;
const GREETING = "hello";
const GREETING_MS = 20;

/** One clock for all processes of a machine, unlike `performance.now()`. */
const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
const valueOf = (n) => String(n).padStart(VALUE_BYTES, "x");

/** `write`: so many values, one after the other, each once the last was seen; `watch`: sees them. */
export async function call({ role, count }) {
  return role === "write" ? await write(count) : await watch(count);
}

async function write(count) {
  const startedMs = [];
  const acknowledgedMs = [];
  const answers = kv.watch({ prefix: "seen" });
  await greet(answers);
  for (let n = 0; n < count; n++) {
    const startMs = nowMs();
    await kv.set("written", valueOf(n));
    const endMs = nowMs();
    const { seenMs } = await next(answers, (answer) => answer.n === n);
    startedMs.push(seenMs - startMs);
    acknowledgedMs.push(seenMs - endMs);
    await delay(PAUSE_MS);
  }
  await answers.return();
  return { startedMs, acknowledgedMs };
}

/** Resolves once the other one watches. */
async function greet(answers) {
  const greeting = setInterval(() => void kv.set("written", GREETING), GREETING_MS);
  try {
    await next(answers, ({ n }) => n === GREETING);
  } finally {
    clearInterval(greeting);
  }
}

/** Tells the writer when it saw each value, by a key that goes the other way. */
async function watch(count) {
  const values = kv.watch({ prefix: "written" });
  await next(values, (value) => value === GREETING);
  await kv.set("seen", { n: GREETING });
  for (let n = 0; n < count; n++) {
    await next(values, (value) => value === valueOf(n));
    await kv.set("seen", { n, seenMs: nowMs() });
  }
  await values.return();
  return "done";
}

/** The next value of a watch that is the right one. */
async function next(events, isRight) {
  for (;;) {
    const { value: event, done } = await events.next();
    if (done) throw new Error("the watch has ended");
    if (isRight(event.value)) return event.value;
  }
}
