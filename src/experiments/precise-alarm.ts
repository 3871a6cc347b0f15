import { Worker } from "node:worker_threads";

/**
 * Sleeps to a moment and says so. Runs in a thread: Node's own timers are whole milliseconds, as long
 * as a link of the paper, and looking all the time would take a processor from what is measured.
 */
const SLEEPER = `
const { parentPort, workerData } = require("node:worker_threads");
const [changes, due] = [new Int32Array(workerData, 0, 1), new BigInt64Array(workerData, 8, 1)];
for (;;) {
  const seen = Atomics.load(changes, 0);
  const dueUs = Atomics.load(due, 0);
  const leftUs = dueUs < 0n ? Infinity : Number(dueUs - process.hrtime.bigint() / 1000n);
  if (leftUs <= 0) {
    Atomics.compareExchange(due, 0, dueUs, -1n);
    parentPort.postMessage(0);
  } else if (Atomics.wait(changes, 0, seen, leftUs / 1000) === "not-equal") continue;
}
`;

/** How long before its time the sleeper is woken at most: what is left then is spent looking at the clock. */
const LEAD_MAX_MS = 0.25;
/** The lead grows by so much after a late ring and shrinks by a quarter of it after one in time: one in five is late. */
const LEAD_STEP_MS = 0.01;

/** One alarm clock that goes off within some tens of microseconds, and never early. */
export class PreciseAlarm {
  readonly #memory = new SharedArrayBuffer(16);
  readonly #changes = new Int32Array(this.#memory, 0, 1);
  readonly #due = new BigInt64Array(this.#memory, 8, 1);
  readonly #worker: Worker;
  /** For when it is set; Infinity = not at all. */
  #atMs = Infinity;
  /** How long two threads take to wake, as far as it is known. */
  #leadMs = 0;

  /** `ring` is called when a time has come that was set. */
  constructor(ring: () => void) {
    Atomics.store(this.#due, 0, -1n);
    this.#worker = new Worker(SLEEPER, { eval: true, workerData: this.#memory });
    this.#worker.on("message", () => {
      if (this.#waitsInVain()) return;
      this.#atMs = Infinity;
      ring();
    });
    this.#worker.unref();
  }

  /** Sets the only time at which it goes off, on the clock of `performance.now()`. */
  set(atMs: number): void {
    this.#atMs = atMs;
    const inUs = Math.max(0, (atMs - this.#leadMs - performance.now()) * 1000);
    Atomics.store(this.#due, 0, process.hrtime.bigint() / 1000n + BigInt(Math.ceil(inUs)));
    Atomics.add(this.#changes, 0, 1);
    Atomics.notify(this.#changes, 0);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  /** Spends the rest of the lead; true if the alarm was set anew while the news of the old time came. */
  #waitsInVain(): boolean {
    const leftMs = this.#atMs - performance.now();
    if (leftMs > LEAD_MAX_MS) return true;
    const leadMs = this.#leadMs + (leftMs < 0 ? LEAD_STEP_MS : -LEAD_STEP_MS / 4);
    this.#leadMs = Math.min(LEAD_MAX_MS, Math.max(0, leadMs));
    while (performance.now() < this.#atMs);
    return false;
  }
}
