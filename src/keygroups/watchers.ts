import type { Entry, WatchEvent } from "./types.js";

interface Watcher {
  readonly start: string;
  readonly prefix: string;
  readonly onEvent: (event: WatchEvent) => void;
}

/** Everyone who watches a keygroup, and which keys they watch. */
export class Watchers {
  readonly #watchers = new Set<Watcher>();

  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  /** Adds a watcher of all keys from `start` on, or with `prefix`; returns the way to end it. */
  add(
    range: { readonly start?: string; readonly prefix?: string },
    onEvent: (event: WatchEvent) => void,
  ): () => void {
    const watcher = { start: range.start ?? "", prefix: range.prefix ?? "", onEvent };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Tells everyone concerned what a key shows after a commit. */
  notify(key: string, entry: Entry | undefined): void {
    for (const watcher of this.#watchers) {
      if (!key.startsWith(watcher.prefix) || !isFrom(key, watcher.start)) continue;
      watcher.onEvent({ key, value: entry?.value, version: entry?.version ?? "" });
    }
  }
}

/** Order of keys is the order of their UTF-8 bytes, which is that of their code points. */
function isFrom(key: string, start: string): boolean {
  return start === "" || Buffer.compare(Buffer.from(key, "utf8"), Buffer.from(start, "utf8")) >= 0;
}
