import { EnokiError, type ErrorCode } from "../core/errors.js";

/** Members of a problem document that have a place of their own in an error. */
const STANDARD_MEMBERS = new Set(["type", "title", "status", "detail", "code"]);

/** Codes for answers that carry none: from a proxy, or from something that is no Enoki node. */
const CODES_BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "ENOKI_INVALID_INPUT",
  401: "ENOKI_UNAUTHORIZED",
  403: "ENOKI_FORBIDDEN",
  404: "ENOKI_NOT_FOUND",
  405: "ENOKI_METHOD_NOT_ALLOWED",
  412: "ENOKI_VERSION_CONFLICT",
  413: "ENOKI_BODY_TOO_LARGE",
  501: "ENOKI_UNSUPPORTED",
  503: "ENOKI_NODE_UNREACHABLE",
  504: "ENOKI_TIMEOUT",
};

/**
 * An error that a node answered with. Its `code` is what the node said, also if a newer node
 * says one that this version does not know; further members are in `extra`.
 */
export class RemoteError extends EnokiError {
  readonly #status: number;

  constructor(
    code: string,
    status: number,
    detail: string,
    extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(code as ErrorCode, detail, extra);
    this.#status = status;
  }

  /** HTTP status of the answer. */
  override get status(): number {
    return this.#status;
  }
}

/** True if the answer says what went wrong as RFC 9457 does. */
export function isProblem(headers: Headers): boolean {
  return headers.get("content-type")?.startsWith("application/problem+json") === true;
}

/** Makes an error of the body of a problem document; `undefined` if it is no such document. */
function parseProblem(status: number, body: string): RemoteError | undefined {
  const problem = parseObject(body);
  if (problem === undefined || typeof problem["code"] !== "string") return undefined;
  const detail = problem["detail"] ?? problem["title"];
  const extra = Object.entries(problem).filter(([name]) => !STANDARD_MEMBERS.has(name));
  return new RemoteError(
    problem["code"],
    status,
    typeof detail === "string" ? detail : `the node answered ${status}`,
    Object.fromEntries(extra),
  );
}

/** Makes an error of any answer that is none of 2xx. */
export function errorOf(url: string, status: number, headers: Headers, body: string): RemoteError {
  const problem = isProblem(headers) ? parseProblem(status, body) : undefined;
  if (problem !== undefined) return problem;
  const firstLine = body.trim().split("\n", 1)[0]?.slice(0, 200) ?? "";
  const said = firstLine === "" ? "" : `: ${firstLine}`;
  return new RemoteError(codeOf(status), status, `${url} answered ${status}${said}`);
}

function codeOf(status: number): ErrorCode {
  return CODES_BY_STATUS[status] ?? (status < 500 ? "ENOKI_INVALID_INPUT" : "ENOKI_INTERNAL");
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
