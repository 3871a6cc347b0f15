import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, resolve, sep } from "node:path";

import { formatSizeBytes } from "../base/size.js";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { writeZip, type ZipMember } from "./zip-writer.js";

/** Folders that are never part of a function: installed again by the build, or made by tools. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(["node_modules", ".git", "__pycache__"]);

interface Packing {
  /** Real path of the folder; nothing outside it is read. */
  readonly root: string;
  readonly members: ZipMember[];
  sizeBytes: number;
}

/**
 * Makes the archive that a deploy sends: from a folder (without `node_modules`, `.git` and
 * `__pycache__`), from one file, or from a zip, which is passed on as it is. A symbolic link
 * is packed as what it points to. The same files always give the same bytes.
 * @throws EnokiError `ENOKI_INVALID_ARCHIVE` for a link that leaves the folder or a special file,
 * `ENOKI_ARCHIVE_TOO_LARGE` beyond the limits, `ENOKI_INVALID_INPUT` if there is nothing at `path`
 */
export async function packFolder(path: string): Promise<Buffer> {
  const root = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      error.code === "ENOENT"
        ? `there is no file or folder ${path}`
        : `cannot read ${path}: ${error.code ?? error.message}`,
    );
  });
  const info = await stat(root);
  if (info.isFile()) {
    if (info.size > LIMITS.archiveUnpackedBytesMax) throw tooLarge();
    const data = await readFile(root);
    if (isZip(data)) return checkPacked(data);
    const name = basename(resolve(path));
    return checkPacked(writeZip([{ path: name, data, executable: isExecutable(info.mode) }]));
  }
  if (!info.isDirectory()) throw invalid(`${path} is neither a file nor a folder`);
  const packing: Packing = { root, members: [], sizeBytes: 0 };
  await addFolder(packing, root, "", [root]);
  if (packing.members.length === 0) throw invalid(`${path} holds no files`);
  return checkPacked(writeZip(packing.members));
}

/** True if `data` begins as a zip does. */
function isZip(data: Uint8Array): boolean {
  return (
    data[0] === 0x50 &&
    data[1] === 0x4b &&
    ((data[2] === 3 && data[3] === 4) || (data[2] === 5 && data[3] === 6))
  );
}

/** `ancestors` are the real paths on the way down, so that a link to one of them is found out. */
async function addFolder(
  packing: Packing,
  folder: string,
  prefix: string,
  ancestors: readonly string[],
): Promise<void> {
  const names = (await readdir(folder)).sort();
  for (const name of names) {
    const shown = prefix + name;
    const real = await realInside(packing.root, join(folder, name), shown);
    const info = await stat(real);
    if (info.isDirectory()) {
      if (SKIPPED_FOLDERS.has(name)) continue;
      if (ancestors.includes(real)) throw invalid(`${shown} is a link to a folder around it`);
      await addFolder(packing, real, `${shown}/`, [...ancestors, real]);
    } else if (info.isFile()) {
      packing.sizeBytes += info.size;
      if (packing.sizeBytes > LIMITS.archiveUnpackedBytesMax) throw tooLarge();
      if (packing.members.length === LIMITS.archiveFilesMax) throw tooManyFiles();
      const data = await readFile(real);
      packing.members.push({ path: shown, data, executable: isExecutable(info.mode) });
    } else {
      throw invalid(`${shown} is not a regular file`);
    }
  }
}

async function realInside(root: string, path: string, shown: string): Promise<string> {
  const real = await realpath(path).catch(() => {
    throw invalid(`${shown} is a link to nothing`);
  });
  if (!real.startsWith(root + sep)) throw invalid(`${shown} is a link that leaves the folder`);
  return real;
}

function isExecutable(mode: number): boolean {
  return (mode & 0o111) !== 0;
}

function checkPacked(zip: Buffer): Buffer {
  if (zip.length <= LIMITS.archiveBytesMax) return zip;
  const limit = formatSizeBytes(LIMITS.archiveBytesMax);
  throw new EnokiError(
    "ENOKI_ARCHIVE_TOO_LARGE",
    `the packed function has ${formatSizeBytes(zip.length)}; at most ${limit} are allowed`,
  );
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_ARCHIVE", detail);
}

function tooLarge(): EnokiError {
  const limit = formatSizeBytes(LIMITS.archiveUnpackedBytesMax);
  return new EnokiError("ENOKI_ARCHIVE_TOO_LARGE", `the function has more than ${limit}`);
}

function tooManyFiles(): EnokiError {
  return new EnokiError(
    "ENOKI_ARCHIVE_TOO_LARGE",
    `the function has more than ${LIMITS.archiveFilesMax} files`,
  );
}
