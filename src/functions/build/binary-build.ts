import { chmod } from "node:fs/promises";
import { join } from "node:path";

import { EnokiError } from "../../core/errors.js";
import { inspectProgram } from "../source/executable.js";
import { IGNORED_FOLDERS } from "../source/source-root.js";
import { copyTree } from "./copy-tree.js";
import type { Build } from "./types.js";

/**
 * Builds a binary: its files, with the entry made executable.
 * @throws EnokiError `ENOKI_NO_ENTRY` if the system could not execute the entry
 */
export async function buildBinary(request: Build): Promise<{ entry: string }> {
  const inspection = await inspectProgram(request.sourceDir, request.entry);
  if (!inspection.isProgram) throw new EnokiError("ENOKI_NO_ENTRY", inspection.reason);
  await copyTree(request.sourceDir, request.codeDir, { skippedFolders: IGNORED_FOLDERS });
  await chmod(join(request.codeDir, request.entry), 0o755);
  return { entry: request.entry };
}
