import { expect, test } from "vitest";

import { EnokiError, ERRORS, type ErrorCode } from "../../../src/core/errors.js";
import { problemResponse } from "../../../src/gateway/problem.js";

function documentOf(error: unknown): Record<string, unknown> {
  return JSON.parse(problemResponse(error).body) as Record<string, unknown>;
}

test("a problem document has the members of RFC 9457, the code and what the error adds", () => {
  const error = new EnokiError("ENOKI_FUNCTION_ERROR", "boom", { errorType: "ValueError" });
  const { status, headers, body } = problemResponse(error);
  expect(status).toBe(500);
  expect(headers).toEqual({
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
  });
  expect(JSON.parse(body)).toEqual({
    type: "/errors/ENOKI_FUNCTION_ERROR",
    title: ERRORS.ENOKI_FUNCTION_ERROR.title,
    status: 500,
    detail: "boom",
    code: "ENOKI_FUNCTION_ERROR",
    fix: ERRORS.ENOKI_FUNCTION_ERROR.fix,
    errorType: "ValueError",
  });
});

test("what an error adds cannot replace the standard members", () => {
  expect(
    documentOf(new EnokiError("ENOKI_TIMEOUT", "late", { code: "X", status: 1 })),
  ).toMatchObject({ code: "ENOKI_TIMEOUT", status: 504 });
});

test("an error that is a bug tells nothing of its inside", () => {
  const { status, body } = problemResponse(new TypeError("secret of /home/x"));
  expect(status).toBe(500);
  expect(JSON.parse(body)).toMatchObject({ code: "ENOKI_INTERNAL" });
  expect(body).not.toContain("secret");
});

test.each([
  "ENOKI_QUEUE_FULL",
  "ENOKI_OUTBOX_FULL",
  "ENOKI_DRAINING",
  "ENOKI_SESSION_NOT_REACHED",
  "ENOKI_STALE",
] as const)("%s says when to retry, by default after a second", (code) => {
  expect(problemResponse(new EnokiError(code)).headers["Retry-After"]).toBe("1");
});

test("the time to retry comes from the error, rounded up to seconds", () => {
  const error = new EnokiError("ENOKI_QUEUE_FULL", "full", { retryAfterMs: 2100 });
  expect(problemResponse(error).headers["Retry-After"]).toBe("3");
});

test("401 and 405 carry the headers that HTTP asks for", () => {
  expect(problemResponse(new EnokiError("ENOKI_UNAUTHORIZED")).headers["WWW-Authenticate"]).toBe(
    'Bearer realm="enoki"',
  );
  const error = new EnokiError("ENOKI_METHOD_NOT_ALLOWED", "no", { allow: ["GET", "PUT"] });
  expect(problemResponse(error).headers["Allow"]).toBe("GET, PUT");
});

test("every code has a document with its own status", () => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    expect(problemResponse(new EnokiError(code)).status).toBe(ERRORS[code].status);
  }
});
