import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import * as z from "zod";

import { compareBytes } from "../base/bytes.js";
import { EnokiError } from "../core/errors.js";

/** Name of the manifest in the artefact's folder; the manifest does not list itself. */
export const MANIFEST_NAME = "manifest.json";

const fileSchema = z.object({
  path: z.string(),
  isExecutable: z.boolean(),
  sizeBytes: z.number(),
  sha256: z.string(),
});
const manifestSchema = z.object({ format: z.literal(1), files: z.array(fileSchema) });

/** One file of an artefact. Owners, times and other permissions are no part of an artefact. */
export type ArtefactFile = Readonly<z.infer<typeof fileSchema>>;

/** The text whose hash is the artefact's: the files in the byte order of their paths. */
export function writeManifest(files: readonly ArtefactFile[]): string {
  const lines = files.map(({ path, isExecutable, sizeBytes, sha256 }) =>
    JSON.stringify({ path, isExecutable, sizeBytes, sha256 }),
  );
  return `{"format":1,"files":[\n${lines.join(",\n")}\n]}\n`;
}

/** Reads such a text; `undefined` if it is none. */
export function parseManifest(text: string): ArtefactFile[] | undefined {
  try {
    return manifestSchema.parse(JSON.parse(text)).files;
  } catch {
    return undefined;
  }
}

/** SHA-256 of the manifest's text, in hexadecimal. */
export function hashManifest(files: readonly ArtefactFile[]): string {
  return createHash("sha256").update(writeManifest(files)).digest("hex");
}

/**
 * Makes the manifest of the files below `dir`.
 * @throws EnokiError `ENOKI_BUILD_FAILED` if there is anything but regular files and folders
 */
export async function readManifestOf(dir: string): Promise<ArtefactFile[]> {
  const files: ArtefactFile[] = [];
  await addFolder(dir, "", files);
  const inOrder = files.map((file) => ({ file, key: Buffer.from(file.path, "utf8") }));
  inOrder.sort((left, right) => compareBytes(left.key, right.key));
  return inOrder.map(({ file }) => file);
}

async function addFolder(dir: string, prefix: string, files: ArtefactFile[]): Promise<void> {
  for (const name of await readdir(join(dir, prefix))) {
    const path = prefix + name;
    if (path === MANIFEST_NAME) continue;
    const info = await lstat(join(dir, path));
    if (info.isDirectory()) {
      await addFolder(dir, `${path}/`, files);
    } else if (info.isFile()) {
      const isExecutable = (info.mode & 0o111) !== 0;
      const sha256 = await hashFile(join(dir, path));
      files.push({ path, isExecutable, sizeBytes: info.size, sha256 });
    } else {
      throw new EnokiError("ENOKI_BUILD_FAILED", `${path} is a link or a special file`);
    }
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
