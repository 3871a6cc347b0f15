import { isUtf8 } from "node:buffer";
import type { InvokeView } from "../channel/invoke.js";
import { InvalidInputError, parseBody } from "./context.js";
import { decodeText, toUint8Array } from "./kv-values.js";

/**
 * What the body is to a function: JSON is parsed, text, forms and bodies without a type are a
 * string, everything else is bytes. Without a body it is the empty string, or no bytes.
 * @throws InvalidInputError when the body is not what its type says
 */
export function readInput(view: InvokeView): unknown {
  const { contentType } = view;
  if (contentType === "") return readText(view, "utf-8");
  const [first = "", ...parameters] = contentType.split(";");
  const type = first.trim().toLowerCase();
  if (type === "application/json") return parseBody(view);
  const isText = type.startsWith("text/") || type === "application/x-www-form-urlencoded";
  return isText ? readText(view, charsetOf(parameters)) : toUint8Array(view.body);
}

function readText(view: InvokeView, charset: string): string {
  if (!view.hasBody) return "";
  const { body } = view;
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
