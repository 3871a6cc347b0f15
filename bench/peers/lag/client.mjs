/**
 * Writes at one node, watches at another one, and times both by the one clock of this process. Each
 * line of its input is a number of writes; each line that it prints is what they took.
 */
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const [library, first, second, ...others] = process.argv.slice(2);
const VALUE_BYTES = 100;
const SEEN_TIMEOUT_MS = 10_000;
const PAUSE_MS = 2;

let expected = "";
let seen = () => {};
const { connect } = await import(`./${library}.mjs`);
/** `watched`: what the watcher at the second node is told, or `undefined` where it is told no value. */
const { write } = await connect(first, second, {
  watched(value) {
    if (value === undefined || value === expected) seen(performance.now());
  },
  others,
});
let writes = 0;

async function once() {
  expected = String(writes++).padStart(VALUE_BYTES, "x");
  const visible = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("a write was not seen")), SEEN_TIMEOUT_MS);
    seen = (atMs) => {
      clearTimeout(timer);
      resolve(atMs);
    };
  });
  const startMs = performance.now();
  const acknowledged = write(expected).then(() => performance.now());
  const [visibleMs, acknowledgedMs] = await Promise.all([visible, acknowledged]);
  return { startedMs: visibleMs - startMs, acknowledgedMs: visibleMs - acknowledgedMs };
}

async function measure(count) {
  const startedMs = [];
  const acknowledgedMs = [];
  for (let i = 0; i < count; i++) {
    const took = await once();
    startedMs.push(took.startedMs);
    acknowledgedMs.push(took.acknowledgedMs);
    await delay(PAUSE_MS);
  }
  return { startedMs, acknowledgedMs };
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const found = await measure(Number(line)).catch((error) => ({ error: error.message }));
  console.log(JSON.stringify(found));
}
process.exit();
