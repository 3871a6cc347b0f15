import { execFile } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Logger } from "../ports/logger.js";

const run = promisify(execFile);

const COMPILE = `
import compileall, py_compile, sys
compileall.compile_dir(sys.argv[1], quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
`;

/**
 * Copies the Python guest and compiles it, so that no instance compiles it again: the installed
 * folder may be read-only, and a sandbox is. Falls back to the folder as it is.
 */
export async function compilePythonGuest(
  pythonPath: string,
  pythonDir: string,
  runDir: string,
  logger: Logger,
): Promise<string> {
  const copyDir = join(runDir, "python");
  try {
    mkdirSync(copyDir, { recursive: true, mode: 0o755 });
    cpSync(pythonDir, copyDir, {
      recursive: true,
      filter: (path) => !path.endsWith("__pycache__"),
    });
    await run(pythonPath, ["-I", "-S", "-c", COMPILE, copyDir], { timeout: 30_000 });
    return copyDir;
  } catch (cause) {
    logger.warn(
      { cause: String(cause) },
      "the Python guest could not be compiled ahead; instances start slower",
    );
    return pythonDir;
  }
}
