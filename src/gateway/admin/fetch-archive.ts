import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";

import { packFolder } from "../../archive/pack.js";
import { unpackArchive } from "../../archive/unpack.js";
import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";

const FETCH_TIMEOUT_MS = 60_000;

/**
 * Fetches a zip, and packs one of its folders anew if `subfolder` names one. Only for clients
 * that may make this node fetch what they name.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_ARCHIVE_TOO_LARGE`, `ENOKI_INVALID_ARCHIVE`
 */
export async function fetchArchive(
  url: string,
  subfolder: string,
  timeoutMs = FETCH_TIMEOUT_MS,
): Promise<Buffer> {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "url: expected http:// or https://");
  }
  const zip = await download(url, timeoutMs);
  const folder = subfolder.replaceAll(/^[/.]+|\/+$/g, "");
  return folder === "" ? zip : await packSubfolder(zip, folder);
}

async function download(url: string, timeoutMs: number): Promise<Buffer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) {
      await response.body?.cancel();
      throw failed(url, `it answered ${response.status}`);
    }
    if (Number(response.headers.get("content-length")) > LIMITS.archiveBytesMax) {
      await response.body?.cancel();
      throw tooLarge(url);
    }
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.length;
      if (sizeBytes > LIMITS.archiveBytesMax) throw tooLarge(url);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, sizeBytes);
  } catch (error) {
    if (error instanceof EnokiError) throw error;
    const isTimeout = error instanceof Error && error.name === "TimeoutError";
    throw failed(url, isTimeout ? `no answer within ${timeoutMs} ms` : reasonOf(error));
  }
}

/** What `fetch` says only in the cause of its error, and there in words of its own. */
function reasonOf(error: unknown): string {
  const cause =
    error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  const message = cause?.message ?? "";
  if (message.includes("URL scheme")) return "it redirects to what is not http:// or https://";
  if (message.includes("redirect count")) return "it redirects too often";
  const detail = cause?.code ?? message;
  return detail === "" ? "no connection" : `no connection (${detail})`;
}

async function packSubfolder(zip: Buffer, folder: string): Promise<Buffer> {
  const unpackedDir = await mkdtemp(join(tmpdir(), "enoki-upload-"));
  try {
    await unpackArchive(zip, unpackedDir);
    const path = resolve(unpackedDir, folder);
    if (relative(unpackedDir, path).startsWith("..")) {
      throw new EnokiError("ENOKI_INVALID_INPUT", "subfolder_path: leaves the archive");
    }
    return await packFolder(path).catch((error: unknown) => {
      if (!(error instanceof EnokiError)) throw error;
      // why: the message names a temporary folder that means nothing to the client.
      throw new EnokiError(error.code, `subfolder_path: cannot pack ${JSON.stringify(folder)}`);
    });
  } finally {
    await rm(unpackedDir, { recursive: true, force: true });
  }
}

function tooLarge(url: string): EnokiError {
  return new EnokiError(
    "ENOKI_ARCHIVE_TOO_LARGE",
    `${url} has more than ${LIMITS.archiveBytesMax} bytes`,
  );
}

function failed(url: string, reason: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_ARCHIVE", `cannot fetch ${url}: ${reason}`);
}
