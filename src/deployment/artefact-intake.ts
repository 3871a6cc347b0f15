import { createHash, type Hash } from "node:crypto";
import { type FileHandle, mkdir, open, rm, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";

import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import {
  type ArtefactFile,
  hashManifest,
  MANIFEST_NAME,
  parseManifest,
} from "../functions/artefact-manifest.js";

/** Room that a node keeps for everything else. */
const RESERVE_BYTES = 64 * 1024 * 1024;

interface OpenFile {
  readonly handle: FileHandle;
  hash: Hash;
  sizeBytes: number;
}

/**
 * An artefact on its way in. It may come from one node after another: what is here is kept, and
 * every file is checked against the list, whose own hash is the artefact's name.
 */
export class ArtefactIntake {
  readonly dir: string;
  readonly #hash: string;
  #listed: Buffer[] = [];
  #listedBytes = 0;
  #files: readonly ArtefactFile[] | undefined;
  /** Files that are complete. */
  #done = 0;
  #doneBytes = 0;
  #open: OpenFile | undefined;

  /** Takes the artefact of that hash into the folder `dir`, which is made. */
  constructor(hash: string, dir: string) {
    this.#hash = hash;
    this.dir = dir;
  }

  /** What is to come next. */
  get next(): { readonly withManifest: boolean; readonly from: number } {
    return {
      withManifest: this.#files === undefined,
      from: this.#doneBytes + (this.#open?.sizeBytes ?? 0),
    };
  }

  get isComplete(): boolean {
    return this.#files !== undefined && this.#done === this.#files.length;
  }

  /** Another node goes on: half a list is of no use. */
  restart(): void {
    this.#listed = [];
    this.#listedBytes = 0;
  }

  /**
   * Takes what comes next.
   * @throws EnokiError `ENOKI_PROTOCOL` if it is not what the hash promises, `ENOKI_DISK_FULL`
   */
  async take(piece: Uint8Array): Promise<void> {
    let rest = piece;
    if (this.#files === undefined) {
      const left = await this.#takeListed(rest);
      if (left === undefined) return;
      rest = left;
    }
    while (rest.length > 0) {
      if (this.isComplete) throw wrong("more than its files");
      rest = await this.#takeContent(rest);
    }
  }

  /** Closes what is open; the folder stays. */
  async close(): Promise<void> {
    const { handle } = this.#open ?? {};
    this.#open = undefined;
    await handle?.close();
  }

  /** Removes everything. */
  async discard(): Promise<void> {
    await this.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Returns what follows the list; `undefined` while it is not complete. */
  async #takeListed(piece: Uint8Array): Promise<Uint8Array | undefined> {
    this.#listed.push(Buffer.from(piece));
    this.#listedBytes += piece.length;
    if (this.#listedBytes < 4) return undefined;
    const head = this.#listed.length === 1 ? this.#listed[0] : Buffer.concat(this.#listed);
    const sizeBytes = (head as Buffer).readUInt32LE(0);
    if (sizeBytes > LIMITS.artefactManifestBytesMax) throw wrong("too long a list of files");
    if (this.#listedBytes < 4 + sizeBytes) return undefined;
    const all = Buffer.concat(this.#listed);
    this.restart();
    const files = parseManifest(all.toString("utf8", 4, 4 + sizeBytes));
    if (files === undefined || hashManifest(files) !== this.#hash) throw wrong("another list");
    await this.#begin(files);
    return all.subarray(4 + sizeBytes);
  }

  async #begin(files: readonly ArtefactFile[]): Promise<void> {
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    if (!files.every(isSafe)) throw wrong("a file outside its folder");
    if (sizeBytes > LIMITS.artefactBytesMax) throw wrong("too much");
    await mkdir(this.dir, { recursive: true });
    const { bavail, bsize } = await statfs(this.dir);
    if (bavail * bsize < sizeBytes + RESERVE_BYTES) {
      throw new EnokiError("ENOKI_DISK_FULL", `there is no room for ${sizeBytes} bytes of code`);
    }
    this.#files = files;
    await this.#openNext();
  }

  /** Opens the next file that has content; empty ones are made on the way. */
  async #openNext(): Promise<void> {
    for (let file = this.#files?.[this.#done]; file; file = this.#files?.[this.#done]) {
      const path = join(this.dir, file.path);
      await mkdir(dirname(path), { recursive: true });
      const handle = await open(path, "wx", file.isExecutable ? 0o755 : 0o644);
      this.#open = { handle, hash: createHash("sha256"), sizeBytes: 0 };
      if (file.sizeBytes > 0) return;
      await this.#endFile(file, this.#open);
    }
  }

  async #takeContent(piece: Uint8Array): Promise<Uint8Array> {
    const file = this.#files?.[this.#done];
    const into = this.#open;
    if (!file || !into) throw wrong("nothing that could be written");
    const part = piece.subarray(0, file.sizeBytes - into.sizeBytes);
    await writeAll(into.handle, part, into.sizeBytes);
    into.hash.update(part);
    into.sizeBytes += part.length;
    if (into.sizeBytes === file.sizeBytes) {
      await this.#endFile(file, into);
      await this.#openNext();
    }
    return piece.subarray(part.length);
  }

  async #endFile(file: ArtefactFile, { handle, hash }: OpenFile): Promise<void> {
    if (hash.digest("hex") !== file.sha256) {
      await handle.truncate(0);
      this.#open = { handle, hash: createHash("sha256"), sizeBytes: 0 };
      throw wrong(`another content of ${file.path}`);
    }
    await this.close();
    this.#done += 1;
    this.#doneBytes += file.sizeBytes;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

/** Inside the folder, and none of the store's own. */
function isSafe({ path, sizeBytes }: ArtefactFile): boolean {
  const parts = path.split("/");
  return (
    path.length <= 4096 &&
    !path.includes("\0") &&
    path !== MANIFEST_NAME &&
    Number.isSafeInteger(sizeBytes) &&
    sizeBytes >= 0 &&
    parts.every((part) => part !== "" && part !== "." && part !== "..")
  );
}

function wrong(detail: string): EnokiError {
  return new EnokiError("ENOKI_PROTOCOL", `a node sent ${detail} instead of the artefact`);
}
