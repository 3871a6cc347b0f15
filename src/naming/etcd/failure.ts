import { EnokiError } from "../../core/errors.js";

/**
 * Why a request to one member failed.
 * `unsent`: it never left · `lost`: it left and no answer came · `refused`: the member does not let us
 * in, or is not who it should be · `answered`: etcd said no, with gRPC's code.
 */
export type EtcdFailureKind = "unsent" | "lost" | "refused" | "answered";

/** The failure of one request to one member. Stays inside this driver. */
export class EtcdFailure extends Error {
  override readonly name = "EtcdFailure";
  readonly kind: EtcdFailureKind;
  /** Status code of gRPC, where etcd answered. */
  readonly code: number | undefined;
  /** A connection that had been idle broke: most probably it had been dead before. */
  readonly wasIdle: boolean;

  constructor(kind: EtcdFailureKind, message: string, code?: number, wasIdle = false) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.wasIdle = wasIdle;
  }

  /** Another member, or the same one later, may well do it. */
  get isPassing(): boolean {
    return this.kind === "unsent" || this.kind === "lost" || this.isUndecided;
  }

  /** The member was asked to do it and cannot say whether it was done. */
  get isUndecided(): boolean {
    return this.kind === "lost" || (this.kind === "answered" && UNDECIDED.has(this.code ?? -1));
  }
}

/** Status codes of gRPC that etcd answers with. */
export const GRPC = {
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  failedPrecondition: 9,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** With these codes, etcd may have done what it was asked, or may do it yet. */
const UNDECIDED: ReadonlySet<number> = new Set([
  GRPC.unknown,
  GRPC.deadlineExceeded,
  GRPC.internal,
  GRPC.unavailable,
]);

/** Makes a failure of an answer that is no success. */
export function failureOfAnswer(member: string, status: number, body: string): EtcdFailure {
  let code: unknown;
  let message: unknown;
  try {
    const answer = JSON.parse(body) as Record<string, unknown>;
    // A stream that does not begin has its failure one level deeper, under another name.
    const inner = answer["error"] as Record<string, unknown> | string | undefined;
    code = answer["code"] ?? (inner as Record<string, unknown>)["grpc_code"];
    message = answer["message"] ?? (inner as Record<string, unknown>)["message"];
  } catch {
    // Not etcd's own answer: a proxy's, or that of something else.
  }
  if (typeof code !== "number" || typeof message !== "string") {
    return new EtcdFailure("refused", `${member} answers as no etcd does (HTTP status ${status})`);
  }
  return new EtcdFailure(isRefusal(code, message) ? "refused" : "answered", message, code);
}

function isRefusal(code: number, message: string): boolean {
  if (code === GRPC.permissionDenied) return true;
  return code === GRPC.invalidArgument && /user name is empty|authentication failed/.test(message);
}

/** True if a new token will be taken: this one is unknown (a restart, its end) or too old. */
export function isTokenFailure(failure: EtcdFailure): boolean {
  if (failure.code === GRPC.unauthenticated) return true;
  return (
    failure.code === GRPC.invalidArgument &&
    /invalid auth token|auth store is old|header is old|user name is empty/.test(failure.message)
  );
}

/** True if etcd said that the lease has run out. */
export function isLeaseGone(error: unknown): boolean {
  return (
    error instanceof EtcdFailure &&
    error.code === GRPC.notFound &&
    error.message.includes("lease not found")
  );
}

/** What the world outside the driver sees of a failure that no other member could help with. */
export function namingErrorOf(failure: EtcdFailure): EnokiError {
  return failure.kind === "refused"
    ? new EnokiError("ENOKI_NAMING_REFUSED", `etcd: ${failure.message}`)
    : new EnokiError("ENOKI_NAMING_UNAVAILABLE", `etcd: ${failure.message}`);
}
