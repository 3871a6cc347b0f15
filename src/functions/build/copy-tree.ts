import { chmod, copyFile, mkdir, readdir, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";

import { EnokiError } from "../../core/errors.js";

/** What a copy leaves out or looks at. */
export interface CopyOptions {
  /** Names of folders that are left out wherever they are. */
  readonly skippedFolders: ReadonlySet<string>;
  /** Links are copied as what they point to, if that lies in here; `from` unless said. */
  readonly within?: string;
}

/**
 * Copies the files below `from` to `to`, with plain permissions (0644, or 0755 if executable).
 * @throws EnokiError `ENOKI_BUILD_FAILED` for a link that leads outside, or a special file
 */
export async function copyTree(from: string, to: string, options: CopyOptions): Promise<void> {
  const root = await realpath(options.within ?? from);
  await copyFolder(await realpath(from), to, { root, ...options }, []);
}

interface Copying extends CopyOptions {
  readonly root: string;
}

async function copyFolder(
  from: string,
  to: string,
  copying: Copying,
  ancestors: readonly string[],
): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    const source = await realpath(join(from, name)).catch(() => {
      throw refuse(name, "is a link to nothing");
    });
    if (!source.startsWith(copying.root + sep)) throw refuse(name, "is a link that leads outside");
    const info = await stat(source);
    if (info.isDirectory()) {
      if (copying.skippedFolders.has(name)) continue;
      if (ancestors.includes(source)) throw refuse(name, "is a link to a folder around it");
      await copyFolder(source, join(to, name), copying, [...ancestors, source]);
    } else if (info.isFile()) {
      await copyFile(source, join(to, name));
      await chmod(join(to, name), (info.mode & 0o111) === 0 ? 0o644 : 0o755);
    } else {
      throw refuse(name, "is not a regular file");
    }
  }
}

function refuse(name: string, reason: string): EnokiError {
  return new EnokiError("ENOKI_BUILD_FAILED", `${name} ${reason}`);
}
