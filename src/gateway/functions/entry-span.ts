import type { EnokiError } from "../../core/errors.js";
import type { CallRequest, CallResponse } from "../../functions/call.js";
import type { FunctionHost } from "../../functions/function-host.js";
import { failureOf } from "../../functions/invocation-spans.js";
import { startSpan } from "../../functions/traced-headers.js";
import type { Span, Tracer } from "../../ports/tracer.js";

/** What brings calls from outside. */
export type EntryProtocol = "http" | "coap" | "grpc";

/** Methods by which spans are named; there may be any number of others. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "QUERY"]);

/** Begins the span of a call from outside, and names it in the call's headers. */
export function startEntry(
  tracer: Tracer,
  { name }: FunctionHost,
  request: CallRequest,
  protocol: EntryProtocol,
): { readonly span: Span | undefined; readonly request: CallRequest } {
  const { method, path } = request;
  const known = METHODS.has(method) ? method : "HTTP";
  const { span, headers } = startSpan(tracer, request.headers, {
    name: protocol === "http" ? `${known} /${name}` : `${protocol} ${name}`,
    kind: "server",
    attributes: {
      "network.protocol.name": protocol,
      ...(protocol === "http"
        ? {
            "http.request.method": METHODS.has(method) ? method : "_OTHER",
            "http.request.method_original": METHODS.has(method) ? undefined : method,
            "http.route": `/${name}`,
            "url.path": `/${name}${path}`,
            "url.scheme": "http",
          }
        : { "rpc.system": protocol, "rpc.method": name }),
    },
  });
  return { span, request: { ...request, headers } };
}

/** Ends it with what was answered. */
export function endEntry(span: Span, outcome: CallResponse | EnokiError): void {
  // What a CoAP or gRPC client is told follows from it.
  span.set({ "http.response.status_code": outcome.status });
  span.end(outcome.status >= 500 ? (failureOf(outcome) ?? "error") : undefined);
}
