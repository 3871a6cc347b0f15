import { EnokiError } from "../core/errors.js";
import { isCollectorUrl, type Settings } from "./settings.js";

/** Where a node tells of its work, and of how much of it. */
export interface TracingConfig {
  readonly collector: {
    /** The whole URL that spans are posted to. */
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  /** Share of the traces that begin at this node, from 0 to 1. */
  readonly ratio: number;
  /** `undefined` = the name of the node. */
  readonly serviceName: string | undefined;
}

/** Where what is not said in settings of ours is looked for: in OpenTelemetry's variables. */
export interface TracingSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the setting was said, rather than left as it is. */
  readonly isSaid: (key: keyof Settings) => boolean;
}

const TRACES_PATH = "v1/traces";
const RATIO_OF_SAMPLER: Readonly<Record<string, number>> = { always_on: 1, always_off: 0 };

/**
 * Brings the settings and OpenTelemetry's variables together; `undefined`: nothing is traced.
 * @throws EnokiError `ENOKI_INVALID_CONFIG` that names the variable
 */
export function loadTracing(
  { otlp, traceRatio }: Settings,
  { env, isSaid }: TracingSources,
): TracingConfig | undefined {
  if (otlp === "off") return undefined;
  const isDisabled = env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true";
  const url = otlp === undefined ? (isDisabled ? undefined : urlOf(env)) : tracesUrl(otlp);
  if (url === undefined) return undefined;
  return {
    collector: { url, headers: headersOf(env) },
    ratio: isSaid("traceRatio") ? traceRatio : (ratioOf(env) ?? traceRatio),
    serviceName: env["OTEL_SERVICE_NAME"] || undefined,
  };
}

function urlOf(env: TracingSources["env"]): string | undefined {
  const whole = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (whole) return checkedUrl("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", whole);
  const base = env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (!base) return undefined;
  return tracesUrl(checkedUrl("OTEL_EXPORTER_OTLP_ENDPOINT", base));
}

/** Where a collector with that address takes spans. */
function tracesUrl(base: string): string {
  const url = new URL(base);
  url.pathname = url.pathname.replace(/\/*$/, `/${TRACES_PATH}`);
  return url.href;
}

function checkedUrl(source: string, text: string): string {
  if (isCollectorUrl(text)) return text;
  const detail = `${JSON.stringify(text)} is no address of a collector, such as http://127.0.0.1:4318`;
  throw invalid(source, detail);
}

/** `name=value` with commas between them, percent-encoded. */
function headersOf(env: TracingSources["env"]): Record<string, string> {
  const source = "OTEL_EXPORTER_OTLP_HEADERS";
  const headers: Record<string, string> = {};
  for (const word of (env[source] ?? "").split(",")) {
    const [name = "", value = ""] = cut(word.trim());
    if (name === "" && value === "") continue;
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || !/^[\x20-\x7e]*$/.test(value)) {
      throw invalid(source, "expected name=value with commas between them");
    }
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function cut(word: string): [name: string, value: string] {
  const at = word.indexOf("=");
  if (at < 0) return [word, ""];
  const value = word.slice(at + 1).trim();
  try {
    return [word.slice(0, at).trim(), decodeURIComponent(value)];
  } catch {
    return [word.slice(0, at).trim(), value];
  }
}

/** The share that a sampler keeps of traces that begin here; the parent of others always decides. */
function ratioOf(env: TracingSources["env"]): number | undefined {
  const source = "OTEL_TRACES_SAMPLER";
  const sampler = (env[source] ?? "").replace(/^parentbased_/, "");
  if (sampler === "") return undefined;
  if (sampler !== "traceidratio") {
    const ratio = RATIO_OF_SAMPLER[sampler];
    if (ratio !== undefined) return ratio;
    throw invalid(source, `there is no sampler ${JSON.stringify(env[source])} here`);
  }
  const text = env["OTEL_TRACES_SAMPLER_ARG"] || "1";
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw invalid("OTEL_TRACES_SAMPLER_ARG", `${JSON.stringify(text)} is no number from 0 to 1`);
}

function invalid(source: string, detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_CONFIG", `${source}: ${detail}`);
}
