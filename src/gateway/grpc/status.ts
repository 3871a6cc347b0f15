import type { EnokiError, ErrorCode } from "../../core/errors.js";

/** Status codes of gRPC. */
export const STATUS = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

const BY_STATUS: Readonly<Record<number, number>> = {
  400: STATUS.invalidArgument,
  401: STATUS.unauthenticated,
  403: STATUS.permissionDenied,
  404: STATUS.notFound,
  409: STATUS.aborted,
  412: STATUS.failedPrecondition,
  413: STATUS.resourceExhausted,
  415: STATUS.invalidArgument,
  422: STATUS.invalidArgument,
  429: STATUS.resourceExhausted,
  501: STATUS.unimplemented,
  502: STATUS.internal,
  503: STATUS.unavailable,
  504: STATUS.deadlineExceeded,
  507: STATUS.resourceExhausted,
};
/** Errors whose status of HTTP says less than gRPC can. */
const BY_CODE: Partial<Readonly<Record<ErrorCode, number>>> = {
  ENOKI_INTERNAL: STATUS.internal,
  ENOKI_INVALID_RESULT: STATUS.internal,
  ENOKI_OUTPUT_TOO_LARGE: STATUS.resourceExhausted,
};

/** The code for a status that a function returned; what it threw is `UNKNOWN`, as gRPC has it. */
export function statusOf(httpStatus: number): number {
  if (httpStatus < 300) return STATUS.ok;
  return BY_STATUS[httpStatus] ?? STATUS.unknown;
}

/** The code for a platform error. */
export function statusOfError({ code, status }: EnokiError): number {
  return BY_CODE[code] ?? statusOf(status);
}

/** A text in `grpc-message`: UTF-8, percent-encoded but for visible ASCII. */
export function encodeStatusMessage(text: string): string {
  let encoded = "";
  for (const byte of Buffer.from(text, "utf8")) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** A `grpc-timeout` such as `100m` in milliseconds, at least 1; `undefined` if it is none. */
export function parseGrpcTimeoutMs(text: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (!match) return undefined;
  return Math.max(1, Math.ceil(Number(match[1]) * (UNITS_MS[match[2] as string] as number)));
}
