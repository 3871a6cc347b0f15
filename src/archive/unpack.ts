import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { fromBufferPromise, getFileNameLowLevel, type Entry, type ZipFile } from "yauzl";

import { formatSizeBytes } from "../base/size.js";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { MemberPaths, unsafe } from "./member-paths.js";

interface Member {
  readonly entry: Entry;
  readonly path: string;
  readonly kind: "file" | "folder";
}

const FILE_TYPE_MASK = 0o170000;
const REGULAR_FILE = 0o100000;
const FOLDER = 0o040000;

/** Companion files that macOS puts beside the real ones when it zips a folder. */
const MACOS_COMPANIONS = /^__MACOSX\//;

/**
 * Unpacks a zip into `destDir`, which is made if need be and should be empty. Every path, type
 * and declared size is checked before the first byte is written, every real size and checksum
 * while writing; after a failure the caller removes `destDir`. Executable bits are kept.
 * @throws EnokiError `ENOKI_INVALID_ARCHIVE` (corrupt or unsafe, naming the path) or
 * `ENOKI_ARCHIVE_TOO_LARGE`
 */
export async function unpackArchive(zip: Buffer, destDir: string): Promise<void> {
  if (zip.length > LIMITS.archiveBytesMax) {
    throw tooLarge(`it has ${formatSizeBytes(zip.length)}`, LIMITS.archiveBytesMax);
  }
  const file = await fromBufferPromise(zip, { decodeStrings: false, autoClose: false }).catch(
    (error: unknown) => {
      throw corrupt(undefined, error);
    },
  );
  try {
    const members = await readMembers(file);
    await mkdir(destDir, { recursive: true });
    for (const member of members) {
      const path = join(destDir, member.path);
      if (member.kind === "folder") await mkdir(path, { recursive: true });
      else await writeMember(file, member, path);
    }
  } finally {
    file.close();
  }
}

/** Reads and checks the whole directory of the zip; nothing is written yet. */
async function readMembers(file: ZipFile): Promise<Member[]> {
  if (file.entryCount > LIMITS.archiveFilesMax) throw tooManyFiles();
  const members: Member[] = [];
  const paths = new MemberPaths();
  let sizeBytes = 0;
  try {
    for await (const entry of file.eachEntry()) {
      const name = getFileNameLowLevel(
        entry.generalPurposeBitFlag,
        entry.fileNameRaw,
        entry.extraFields,
        true,
      );
      if (MACOS_COMPANIONS.test(name)) continue;
      const { path, kind } = paths.accept(name);
      checkType(entry, name, kind);
      sizeBytes += entry.uncompressedSize;
      if (sizeBytes > LIMITS.archiveUnpackedBytesMax) {
        throw tooLarge(
          `unpacked it is larger at ${JSON.stringify(name)}`,
          LIMITS.archiveUnpackedBytesMax,
        );
      }
      members.push({ entry, path, kind });
      if (members.length > LIMITS.archiveFilesMax) throw tooManyFiles();
    }
  } catch (error) {
    throw error instanceof EnokiError ? error : corrupt(undefined, error);
  }
  if (!members.some((member) => member.kind === "file")) {
    throw new EnokiError("ENOKI_INVALID_ARCHIVE", "the archive holds no files");
  }
  return members;
}

function checkType(entry: Entry, name: string, kind: Member["kind"]): void {
  // The upper half holds Unix's mode; archives from elsewhere leave it 0.
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE_MASK;
  if (type !== 0 && type !== REGULAR_FILE && type !== FOLDER) {
    throw unsafe(name, "is a link or a special file");
  }
  if ((type === FOLDER && kind === "file") || (type === REGULAR_FILE && kind === "folder")) {
    throw unsafe(name, "is a file and a folder");
  }
  if (kind === "folder" && entry.uncompressedSize > 0)
    throw unsafe(name, "is a folder with content");
  if (entry.isEncrypted()) throw unsafe(name, "is encrypted");
}

async function writeMember(file: ZipFile, member: Member, path: string): Promise<void> {
  const { entry } = member;
  await mkdir(dirname(path), { recursive: true });
  const executable = ((entry.externalFileAttributes >>> 16) & 0o111) !== 0;
  const source = await file.openReadStreamPromise(entry).catch((error: unknown) => {
    throw corrupt(member.path, error);
  });
  const target = createWriteStream(path, { flags: "wx", mode: executable ? 0o755 : 0o644 });
  try {
    await pipeline(source, new MemberCheck(entry), target);
  } catch (error) {
    throw isFileSystemError(error) ? fileSystemError(error) : corrupt(member.path, error);
  }
}

/** Passes the bytes of one member on and fails if they are not the ones that were declared. */
class MemberCheck extends Transform {
  readonly #entry: Entry;
  #sizeBytes = 0;
  #checksum = 0;

  constructor(entry: Entry) {
    super();
    this.#entry = entry;
  }

  override _transform(
    chunk: Buffer,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.#sizeBytes += chunk.length;
    this.#checksum = crc32(chunk, this.#checksum);
    if (this.#sizeBytes > this.#entry.uncompressedSize) {
      done(new Error("it is larger than it says"));
      return;
    }
    this.push(chunk);
    done();
  }

  override _flush(done: (error?: Error | null) => void): void {
    if (this.#sizeBytes !== this.#entry.uncompressedSize) done(new Error("it is cut off"));
    else if (this.#checksum !== this.#entry.crc32) done(new Error("its checksum does not match"));
    else done();
  }
}

function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

function fileSystemError(error: NodeJS.ErrnoException): Error {
  if (error.code !== "ENOSPC" && error.code !== "EDQUOT") return error;
  return new EnokiError("ENOKI_DISK_FULL", "the disk is full: the archive could not be unpacked");
}

function corrupt(path: string | undefined, cause: unknown): EnokiError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const where = path === undefined ? "the archive" : JSON.stringify(path);
  return new EnokiError("ENOKI_INVALID_ARCHIVE", `${where} is corrupt: ${reason}`);
}

function tooLarge(what: string, limitBytes: number): EnokiError {
  const limit = formatSizeBytes(limitBytes);
  return new EnokiError("ENOKI_ARCHIVE_TOO_LARGE", `${what}; at most ${limit} are allowed`);
}

function tooManyFiles(): EnokiError {
  return new EnokiError(
    "ENOKI_ARCHIVE_TOO_LARGE",
    `the archive has more than ${LIMITS.archiveFilesMax} entries`,
  );
}
