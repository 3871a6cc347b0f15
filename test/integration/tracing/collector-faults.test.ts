import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { systemClock } from "../../../src/ports/clock.js";
import type { SpanStart } from "../../../src/ports/tracer.js";
import { OtlpTracer, type OtlpTracerOptions } from "../../../src/tracing/otlp-tracer.js";
import { TestCollector } from "../../helpers/collector.js";

const TIMING = { gatherMs: 1, pauseMs: 5, pauseMsMax: 20, closeMs: 200 } as const;
const START: SpanStart = { name: "work", kind: "internal", parent: undefined };

let collector: TestCollector;
let log: string[];
const tracers: OtlpTracer[] = [];

function open(options: Partial<OtlpTracerOptions> = {}): OtlpTracer {
  const note = (fields: object, message: string): void => {
    log.push(`${message} ${JSON.stringify(fields)}`);
  };
  const tracer = new OtlpTracer({
    collector: { url: `${collector.url}/v1/traces`, headers: { "x-key": "secret" } },
    ratio: 1,
    resource: { "service.instance.id": "n1" },
    version: "0.0.0",
    clock: systemClock,
    offsetMs: performance.timeOrigin,
    logger: { ...silentLogger, warn: note, info: note },
    timing: TIMING,
    ...options,
  });
  tracers.push(tracer);
  return tracer;
}

function work(tracer: OtlpTracer, count: number): void {
  for (let n = 0; n < count; n++) tracer.start(START)?.end();
}

beforeEach(async () => {
  log = [];
  collector = await TestCollector.start();
});
afterEach(async () => {
  await Promise.all(tracers.splice(0).map((tracer) => tracer.close()));
  await collector.close();
});

describe("a collector", () => {
  test("gets all spans, with the headers that were asked for", async () => {
    const tracer = open();
    work(tracer, 2000);
    await collector.when(() => collector.spans.length === 2000 || undefined);
    expect(new Set(collector.spans.map(({ spanId }) => spanId)).size).toBe(2000);
    expect(collector.requests.length).toBeLessThan(10);
    for (const { path, ...headers } of collector.requests) {
      expect(path).toBe("/v1/traces");
      expect(headers["x-key"]).toBe("secret");
      expect(headers["content-type"]).toBe("application/json");
    }
    await tracer.close();
    expect(tracer.counts).toEqual({ exportedTotal: 2000, droppedTotal: 0, waiting: 0 });
    expect(log).toEqual([]);
  });

  test("that goes away and comes back gets what it missed, and the log says both once", async () => {
    const { port } = collector;
    await collector.close();
    const tracer = open({
      collector: { url: `http://127.0.0.1:${port}/v1/traces?key=secret`, headers: {} },
    });
    work(tracer, 100);
    await expect.poll(() => log.length).toBe(1);
    expect(log[0]).toMatch(/^the trace collector takes no spans .*ECONNREFUSED/);
    expect(log[0]).not.toContain("secret");
    work(tracer, 100);
    collector = await TestCollector.start(port);
    await collector.when(() => collector.spans.length === 200 || undefined);
    await expect.poll(() => tracer.counts.exportedTotal).toBe(200);
    expect(log.slice(1)).toEqual([expect.stringMatching(/^the trace collector takes spans again/)]);
  });

  test.each([429, 502, 503, 504])("that answers %i is asked again", async (status) => {
    collector.answer = { status, headers: { "retry-after": "0" } };
    const tracer = open();
    work(tracer, 3);
    await collector.when(() => collector.requests.length > 1 || undefined);
    expect(tracer.counts).toMatchObject({ exportedTotal: 0, droppedTotal: 0, waiting: 3 });
    collector.answer = { status: 200 };
    await collector.when(() => collector.spans.length === 3 || undefined);
  });

  test.each([
    [400, "what?", /it answered 400 what\?/],
    [404, "", /it answered 404/],
  ])(
    "that answers %i has refused what it got: it is lost and counted",
    async (status, body, said) => {
      collector.answer = { status, body };
      const tracer = open();
      work(tracer, 3);
      await expect.poll(() => tracer.counts.droppedTotal).toBe(3);
      expect(tracer.counts).toMatchObject({ exportedTotal: 0, waiting: 0 });
      expect(log[0]).toMatch(said);
    },
  );

  test("that leaves out some of them says so", async () => {
    const partialSuccess = { rejectedSpans: "2", errorMessage: "too old" };
    collector.answer = { status: 200, body: JSON.stringify({ partialSuccess }) };
    const tracer = open();
    work(tracer, 5);
    await expect.poll(() => tracer.counts.exportedTotal).toBe(3);
    expect(tracer.counts.droppedTotal).toBe(2);
    expect(log[0]).toMatch(/refuses spans.*too old/);
  });

  test("that is away lets no more wait than there is room for", async () => {
    await collector.close();
    const tracer = open();
    const more = 1000;
    work(tracer, LIMITS.traceSpansWaitingMax + more);
    expect(tracer.counts).toEqual({
      exportedTotal: 0,
      droppedTotal: more,
      waiting: LIMITS.traceSpansWaitingMax,
    });
    const startedAtMs = performance.now();
    await tracer.close();
    expect(performance.now() - startedAtMs).toBeLessThan(5000);
    expect(tracer.counts.droppedTotal).toBe(LIMITS.traceSpansWaitingMax + more);
  });

  test("gets the last spans of a node that ends", async () => {
    const tracer = open({ timing: { ...TIMING, gatherMs: 60_000, closeMs: 10_000 } });
    work(tracer, 700);
    await tracer.close();
    expect(collector.spans).toHaveLength(700);
  });

  test("that never answers keeps no node from ending", async () => {
    collector.answer = undefined;
    const tracer = open();
    work(tracer, 3);
    await expect.poll(() => collector.requests.length).toBe(1);
    await tracer.close();
    expect(tracer.counts).toEqual({ exportedTotal: 0, droppedTotal: 3, waiting: 0 });
  });
});

test("of traces that begin here that share is recorded; of others, those whose parent is", () => {
  const tracer = open({ ratio: 0.25 });
  let recorded = 0;
  for (let n = 0; n < 4000; n++) if (tracer.start(START)) recorded += 1;
  expect(recorded).toBeGreaterThan(800);
  expect(recorded).toBeLessThan(1200);
  const parent = { traceId: "f".repeat(32), spanId: "1".repeat(16), isSampled: true };
  expect(tracer.start({ ...START, parent })?.context.traceId).toBe(parent.traceId);
  expect(open().start({ ...START, parent: { ...parent, isSampled: false } })).toBe(undefined);
  expect(open({ ratio: 0 }).start(START)).toBe(undefined);
  expect(open({ ratio: 1 }).start(START)).toBeDefined();
  expect(tracer.unrecorded()).toMatchObject({ isSampled: false });
});

test("long texts are cut, and times are whole nanoseconds that only grow", async () => {
  const tracer = open();
  const span = tracer.start({
    ...START,
    atMs: 1.5,
    attributes: { long: "x".repeat(10_000), none: undefined },
  });
  span?.set({ n: 3, share: 0.5, yes: true });
  span?.end("ENOKI_TIMEOUT", 1);
  span?.end(undefined, 99);
  const [found] = await collector.when(() =>
    collector.spans.length > 0 ? collector.spans : undefined,
  );
  expect(found?.attributes).toEqual({ long: "x".repeat(256), n: 3, share: 0.5, yes: true });
  expect(found?.endTimeUnixNano).toBe(found?.startTimeUnixNano);
  expect(found?.startTimeUnixNano).toMatch(/^\d{19}$/);
  expect(found?.status).toEqual({ code: 2, message: "ENOKI_TIMEOUT" });
});
