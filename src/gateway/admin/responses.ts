import { problemResponse } from "../problem.js";

/** A JSON response. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "Content-Type": "application/json", ...headers },
  });
}

/** A response of plain text. */
export function text(body: string, status = 200): Response {
  return new Response(body, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
}

/** 204. */
export function noContent(): Response {
  return new Response(null, { status: 204 });
}

/** The problem document of what was thrown. */
export function problem(error: unknown): Response {
  const { status, headers, body } = problemResponse(error);
  return new Response(body, { status, headers });
}
