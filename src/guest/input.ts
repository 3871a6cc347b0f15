import { isUtf8 } from "node:buffer";
import type { InvokeView } from "../channel/invoke.js";
import { InvalidInputError, parseJsonBody } from "./context.js";
import { decodeText, toUint8Array } from "./kv-values.js";

/** What the body of a call is to a function: see {@link bodyValue}. @throws InvalidInputError */
export function readInput(view: InvokeView): unknown {
  return bodyValue(view.contentType, view.body);
}

/**
 * What a body is by its type: JSON is parsed, text, forms and bodies without a type are a string,
 * everything else is bytes. Without a body it is the empty string, or no bytes.
 * @throws InvalidInputError when the body is not what its type says
 */
export function bodyValue(contentType: string, body: Buffer): unknown {
  if (contentType === "") return readText(body, "utf-8");
  const [first = "", ...parameters] = contentType.split(";");
  const type = first.trim().toLowerCase();
  if (type === "application/json") return parseJsonBody(body);
  const isText = type.startsWith("text/") || type === "application/x-www-form-urlencoded";
  return isText ? readText(body, charsetOf(parameters)) : toUint8Array(body);
}

function readText(body: Buffer, charset: string): string {
  if (body.length === 0) return "";
  if (charset === "utf-8") {
    if (isUtf8(body)) return decodeText(body);
    throw new InvalidInputError("the body is not utf-8 text");
  }
  try {
    return new TextDecoder(charset, { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new InvalidInputError(`the body is not ${charset} text`);
  }
}

function charsetOf(parameters: readonly string[]): string {
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=");
    const charset = value.trim().replace(/^"|"$/g, "").toLowerCase();
    if (name.trim().toLowerCase() === "charset" && charset !== "") return charset;
  }
  return "utf-8";
}
