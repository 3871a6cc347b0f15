import type { Brand } from "../base/brand.js";
import { EnokiError } from "./errors.js";

/** Name of a function, unique in the cluster. */
export type FunctionName = Brand<string, "FunctionName">;
/** Name of a keygroup; the default keygroup of a function has the function's name. */
export type KeygroupName = Brand<string, "KeygroupName">;
/** Name of a node, unique in the cluster. */
export type NodeName = Brand<string, "NodeName">;
/** 128 random bits as 32 hexadecimal digits. */
export type InvocationId = Brand<string, "InvocationId">;

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

function parseName(kind: string, text: unknown): string {
  if (typeof text === "string" && NAME.test(text)) return text;
  const shown = typeof text === "string" ? JSON.stringify(text.slice(0, 80)) : typeof text;
  throw new EnokiError("ENOKI_INVALID_NAME", `${shown} is not a valid ${kind} name`);
}

/** Checks a function name. @throws EnokiError `ENOKI_INVALID_NAME` */
export function parseFunctionName(text: unknown): FunctionName {
  return parseName("function", text) as FunctionName;
}

/** Checks a keygroup name. @throws EnokiError `ENOKI_INVALID_NAME` */
export function parseKeygroupName(text: unknown): KeygroupName {
  return parseName("keygroup", text) as KeygroupName;
}

/** Checks a node name. @throws EnokiError `ENOKI_INVALID_NAME` */
export function parseNodeName(text: unknown): NodeName {
  return parseName("node", text) as NodeName;
}

/** How a certificate names a node: a URI among its subject's alternative names. */
export const NODE_URI_PREFIX = "urn:enoki:node:";

/** Checks an invocation id. @throws EnokiError `ENOKI_INVOCATION_NOT_FOUND` */
export function parseInvocationId(text: string): InvocationId {
  if (/^[0-9a-f]{32}$/.test(text)) return text as InvocationId;
  throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND", "an invocation id is 32 hexadecimal digits");
}
