import { readFile } from "node:fs/promises";

import { EnokiError } from "../core/errors.js";
import { readAll, write, type Io } from "./io.js";

/**
 * Reads secrets as they are given on the command line: `NAME=@FILE`, `NAME=-` for stdin, `NAME` for the
 * variable of that name, or `NAME=VALUE`. One line end at the end of a file or of stdin is no part of it.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, never with a value in it
 */
export async function readSecrets(
  io: Io,
  given: readonly string[],
): Promise<Record<string, string>> {
  const values = new Map<string, string>();
  let readsStdin = false;
  for (const text of given) {
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    const source = at < 0 ? undefined : text.slice(at + 1);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw invalid("expected NAME=@FILE, NAME=- or NAME, with letters, digits and underscores");
    }
    if (values.has(name)) throw invalid(`${name} stands there twice`);
    if (source === "-" && readsStdin) throw invalid("stdin is good for one secret");
    readsStdin ||= source === "-";
    values.set(name, await readValue(io, name, source));
  }
  return Object.fromEntries(values);
}

async function readValue(io: Io, name: string, source: string | undefined): Promise<string> {
  if (source === undefined) {
    const value = io.env[name];
    if (value) return value;
    throw invalid(`${name}: there is no such variable in the environment of this command`);
  }
  if (source === "-") return toText(name, await readAll(io.stdin));
  if (!source.startsWith("@")) {
    const better = `${name}=@FILE, ${name}=- or ${name}`;
    await write(
      io.stderr,
      `note: the shell's history may keep the value of ${name}; see ${better}\n`,
    );
    return source;
  }
  const path = source.slice(1);
  const value = await readSecretFile(name, path);
  if (value === undefined) throw invalid(`${name}: cannot read ${path} (ENOENT)`);
  return value;
}

/**
 * Reads a secret from a file; `undefined` if there is none.
 * @throws EnokiError `ENOKI_INVALID_INPUT` if it cannot be read or is no text
 */
export async function readSecretFile(name: string, path: string): Promise<string | undefined> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw invalid(`${name}: cannot read ${path} (${error.code})`);
  });
  return bytes && toText(name, bytes);
}

function toText(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    throw invalid(`${name}: is no UTF-8 text; encode it, in base64 say`);
  }
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", `secret: ${detail}`);
}
