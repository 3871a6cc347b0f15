import type { InvokeView } from "../channel/invoke.js";
import { parseBody } from "./context.js";
import { decodeText, toUint8Array } from "./kv-values.js";

/**
 * What the body is to a function: JSON is parsed, text, forms and bodies without a type are a
 * string, everything else is bytes. Without a body it is the empty string, or no bytes.
 * @throws InvalidInputError when JSON does not parse
 */
export function readInput(view: InvokeView): unknown {
  const kind = kindOf(view.contentType);
  if (kind === "bytes") return toUint8Array(view.body);
  if (!view.hasBody) return "";
  return kind === "json" ? parseBody(view) : decodeText(view.body);
}

function kindOf(contentType: string): "json" | "text" | "bytes" {
  if (contentType === "") return "text";
  const semicolon = contentType.indexOf(";");
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (type === "application/json") return "json";
  const isText = type.startsWith("text/") || type === "application/x-www-form-urlencoded";
  return isText ? "text" : "bytes";
}
