import { EnokiError } from "../core/errors.js";
import type { JsonValue } from "../channel/values.js";
import { RemoteError } from "./problem.js";
import type { Requests } from "./transport.js";

/** One key in an export: one line of JSON. CRDTs carry their whole state. */
export interface ExportLine {
  readonly key: string;
  readonly value: JsonValue | { readonly t: string; readonly v: unknown };
  readonly expiresAt?: unknown;
}

/** An import is sent in parts of about this size: a request has a limit, an export has none. */
const PART_CHARACTERS = 1024 * 1024;

/**
 * Sends exported lines, in as many requests as they need, and returns how many keys were written.
 * When one fails, what was written before stays; `imported` and `line` in the error's `extra`
 * count from the first line of all.
 */
export async function importLines(
  admin: Requests,
  keygroupPath: string,
  lines: AsyncIterable<ExportLine> | Iterable<ExportLine>,
): Promise<number> {
  let imported = 0;
  let linesBefore = 0;
  let part: string[] = [];
  let partCharacters = 0;
  const send = async (): Promise<void> => {
    if (part.length === 0) return;
    try {
      imported += await sendPart(admin, keygroupPath, part);
    } catch (error) {
      throw countFromFirst(error, imported, linesBefore);
    }
    linesBefore += part.length;
    part = [];
    partCharacters = 0;
  };
  for await (const line of lines) {
    const text = JSON.stringify(line);
    if (partCharacters + text.length > PART_CHARACTERS) await send();
    part.push(text);
    partCharacters += text.length;
  }
  await send();
  return imported;
}

async function sendPart(
  admin: Requests,
  keygroupPath: string,
  part: readonly string[],
): Promise<number> {
  const answer = await admin.json<{ imported: number }>(`${keygroupPath}/import`, {
    method: "POST",
    headers: new Headers({ "content-type": "application/x-ndjson" }),
    body: `${part.join("\n")}\n`,
  });
  return answer.imported;
}

/** A node counts within one request. */
function countFromFirst(error: unknown, imported: number, linesBefore: number): unknown {
  if (!(error instanceof EnokiError) || linesBefore === 0) return error;
  const { line, imported: inPart } = error.extra;
  const detail = `after ${linesBefore} lines with ${imported} keys: ${error.message}`;
  return new RemoteError(error.code, error.status, detail, {
    ...error.extra,
    imported: imported + (typeof inPart === "number" ? inPart : 0),
    ...(typeof line === "number" ? { line: linesBefore + line } : {}),
  });
}
