import { watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";

/** Editors write a file in several steps; a change counts once nothing has happened for so long. */
const QUIET_MS = 100;

/** Folders whose files are not part of the source. */
const IGNORED =
  /(?:^|\/)(?:node_modules|\.git|__pycache__|\.enoki)(?:\/|$)|(?:~|\.swp|\.pyc|\.tmp)$/;

/**
 * Yields once at the start (`undefined`) and then the name of a changed file each time that the
 * source at `path` has changed, until `signal` aborts. Changes that come while the consumer is
 * busy are yielded once, together.
 */
export async function* watchSource(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<string | undefined> {
  const isFolder = (await stat(path)).isDirectory();
  let changed: string | undefined;
  let wake = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  // why: a file that is replaced by a rename is lost to a watch of the file itself.
  const watcher = watch(isFolder ? path : dirname(path), { recursive: isFolder });
  watcher.on("change", (_event, name) => {
    const file = String(name);
    if (isFolder ? IGNORED.test(file) : file !== basename(path)) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      changed = file;
      wake();
    }, QUIET_MS);
  });
  watcher.on("error", () => wake());
  const stop = (): void => wake();
  signal.addEventListener("abort", stop, { once: true });
  try {
    yield undefined;
    while (!signal.aborted) {
      const file = changed;
      changed = undefined;
      if (file !== undefined) yield file;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
    watcher.close();
  }
}
