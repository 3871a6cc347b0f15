import type { Clock } from "../ports/clock.js";
import { NO_TRACER, type Tracer } from "../ports/tracer.js";
import type { NodeSettings } from "./node-settings.js";

/** What records the work of a node; where no collector is named, that is nothing. */
export async function openTracer(
  { name, version, labels, tracing, logger }: NodeSettings,
  clock: Clock,
): Promise<Tracer> {
  if (!tracing) return NO_TRACER;
  // why: only a node that is traced pays for loading it.
  const { OtlpTracer } = await import("../tracing/otlp-tracer.js");
  const { collector, ratio, serviceName = name } = tracing;
  const resource = {
    ...Object.fromEntries(
      Object.entries(labels).map(([key, value]) => [`enoki.label.${key}`, value]),
    ),
    "service.namespace": "enoki",
    "service.name": serviceName,
    "service.instance.id": name,
    "service.version": version,
    "process.pid": process.pid,
  };
  const { timeOrigin: offsetMs } = performance;
  return new OtlpTracer({ collector, ratio, resource, version, clock, offsetMs, logger });
}
