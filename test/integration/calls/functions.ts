import type { FunctionFiles } from "../../helpers/node-calls.js";

/** Says what came in, or does as it is told: `{throw}`, `{status}`, `{bytes}`, `{nothing}`, `{text}`. */
export const CALLEE = `
import { kv, response } from "enoki";
export async function call(input, ctx) {
  if (input?.throw) throw new Error(input.throw);
  if (input?.status) return response({ asked: input }, { status: input.status });
  if (input?.bytes) return new Uint8Array([1, 2, 3]);
  if (input?.nothing) return undefined;
  if (input?.text !== undefined) return input.text;
  if (input?.sleepMs) await new Promise((resolve) => setTimeout(resolve, input.sleepMs));
  if (input?.store) return kv.set("stored", input.store);
  if (input?.load) return kv.get("stored", "missing");
  const { method, path, headers, idempotencyKey } = ctx;
  const bytes = input instanceof Uint8Array;
  return {
    input: bytes ? [...input] : input,
    bytes,
    method,
    path,
    query: ctx.query.toString(),
    headers,
    idempotencyKey: idempotencyKey ?? null,
    leftMs: ctx.deadline - Date.now(),
  };
}
`;

/** Calls with what it is told: `{name, data, options}`; errors become what they say. */
export const CALLERS: Readonly<Record<string, FunctionFiles>> = {
  node: {
    "index.mjs": `
import { call, send } from "enoki";
export async function call_({ verb, name, data, bytes, options }) {
  try {
    const given = bytes ? new Uint8Array(bytes) : data;
    const result = await (verb === "send" ? send : call)(name, given, options);
    if (result instanceof Uint8Array) return { bytes: [...result] };
    return { nothing: result === undefined, result };
  } catch ({ code, message, extra }) {
    return { code, message, extra };
  }
}
export { call_ as call };
`,
  },
  python: {
    "fn.py": `
import enoki

NAMES = {"idempotencyKey": "idempotency_key", "orderKey": "order_key"}

def call(i):
    options = {NAMES.get(name, name): value for name, value in (i.get("options") or {}).items()}
    data = bytes(i["bytes"]) if "bytes" in i else i.get("data")
    try:
        verb = enoki.send if i.get("verb") == "send" else enoki.call
        result = verb(i["name"], data, **options)
    except enoki.Error as error:
        return {"code": error.code, "message": error.message, "extra": error.extra}
    if isinstance(result, bytes):
        return {"bytes": list(result)}
    return {"nothing": result is None, "result": result}
`,
  },
  asyncio: {
    "fn.py": `
import enoki

NAMES = {"idempotencyKey": "idempotency_key", "orderKey": "order_key"}

async def call(i):
    options = {NAMES.get(name, name): value for name, value in (i.get("options") or {}).items()}
    data = bytes(i["bytes"]) if "bytes" in i else i.get("data")
    try:
        verb = enoki.aio.send if i.get("verb") == "send" else enoki.aio.call
        result = await verb(i["name"], data, **options)
    except enoki.Error as error:
        return {"code": error.code, "message": error.message, "extra": error.extra}
    if isinstance(result, bytes):
        return {"bytes": list(result)}
    return {"nothing": result is None, "result": result}
`,
  },
};

/** What a caller answers. */
export interface Called {
  readonly nothing?: boolean;
  readonly result?: unknown;
  readonly bytes?: readonly number[];
  readonly code?: string;
  readonly message?: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}
