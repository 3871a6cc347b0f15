import { describe, expect, test } from "vitest";

import { loadConfig } from "../../../src/node/config.js";

const load = async (flags: Record<string, string>, env: Record<string, string> = {}) => {
  const { tracing } = await loadConfig({ flags, env, readFile: () => Promise.reject() });
  return tracing;
};
const URL_OF = { otlp: "http://collector:4318" };
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector:4318/base/" };

describe("where spans go", () => {
  test("is nowhere unless it is said", async () => {
    expect(await load({})).toBe(undefined);
    expect(await load({}, { OTEL_TRACES_SAMPLER: "always_on" })).toBe(undefined);
    expect(await load({ otlp: "off" }, ENDPOINT)).toBe(undefined);
    expect(await load({}, { ...ENDPOINT, OTEL_SDK_DISABLED: "true" })).toBe(undefined);
  });

  test.each([
    [URL_OF, {}, "http://collector:4318/v1/traces"],
    [{ otlp: "http://collector/base" }, ENDPOINT, "http://collector/base/v1/traces"],
    [{}, { ENOKI_OTLP: "http://other:1" }, "http://other:1/v1/traces"],
    [{}, ENDPOINT, "https://collector:4318/base/v1/traces"],
    [{}, { ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t/x" }, "http://t/x"],
    [URL_OF, { OTEL_SDK_DISABLED: "true" }, "http://collector:4318/v1/traces"],
  ])("with %j and %j is %s", async (flags, env, url) => {
    expect(await load(flags as Record<string, string>, env as Record<string, string>)).toEqual({
      collector: { url, headers: {} },
      ratio: 1,
      serviceName: undefined,
    });
  });

  test("gets the headers that OpenTelemetry's variable names", async () => {
    const env = {
      OTEL_EXPORTER_OTLP_HEADERS: "X-Key=a%20b, other = c=d ,",
      OTEL_SERVICE_NAME: "me",
    };
    const { collector, serviceName } = (await load(URL_OF, env)) ?? {};
    expect(collector?.headers).toEqual({ "x-key": "a b", other: "c=d" });
    expect(serviceName).toBe("me");
  });
});

test.each([
  [{ traceRatio: "0.25" }, {}, 0.25],
  [{ traceRatio: "0" }, { OTEL_TRACES_SAMPLER: "always_on" }, 0],
  [{}, { ENOKI_TRACE_RATIO: ".5" }, 0.5],
  [{}, { OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 0],
  [{}, { OTEL_TRACES_SAMPLER: "always_on" }, 1],
  [{}, { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" }, 0.1],
  [{}, { OTEL_TRACES_SAMPLER: "traceidratio" }, 1],
])("of traces that begin here, %j and %j record %d", async (flags, env, ratio) => {
  const asked = { ...URL_OF, ...flags } as Record<string, string>;
  expect((await load(asked, env as Record<string, string>))?.ratio).toBe(ratio);
});

test.each([
  [{ otlp: "collector:4318" }, {}, /^--otlp: expected the address of a collector, such as http:/],
  [{ otlp: "ftp://collector" }, {}, /^--otlp: /],
  [{ otlp: "http://" }, {}, /^--otlp: /],
  [{}, { ENOKI_OTLP: "yes" }, /^ENOKI_OTLP: /],
  [{ ...URL_OF, traceRatio: "1.5" }, {}, /^--trace-ratio: expected a number from 0 to 1/],
  [{ ...URL_OF, traceRatio: "much" }, {}, /^--trace-ratio: expected a number from 0 to 1/],
  [
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: "collector" },
    /^OTEL_EXPORTER_OTLP_ENDPOINT: "collector" is no/,
  ],
  [URL_OF, { OTEL_TRACES_SAMPLER: "jaeger_remote" }, /^OTEL_TRACES_SAMPLER: there is no sampler/],
  [
    URL_OF,
    { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" },
    /^OTEL_TRACES_SAMPLER_ARG: "2" is no number from 0 to 1/,
  ],
  [URL_OF, { OTEL_EXPORTER_OTLP_HEADERS: "no name=x" }, /^OTEL_EXPORTER_OTLP_HEADERS: expected/],
])("%j with %j is refused", async (flags, env, said) => {
  await expect(
    load(flags as Record<string, string>, env as Record<string, string>),
  ).rejects.toMatchObject({ code: "ENOKI_INVALID_CONFIG", message: expect.stringMatching(said) });
});
