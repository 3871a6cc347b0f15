import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import type { Logger } from "../ports/logger.js";
import type { Naming } from "../ports/naming.js";
import type { Timers } from "../ports/timers.js";
import { decodeRecord, encodeRecord } from "./record-codec.js";
import { nodeKey } from "./record-keys.js";
import type { NodeRecord } from "./records.js";

/** What an announcement is made with. */
export interface AnnouncementOptions {
  readonly node: NodeName;
  readonly disk: string;
  readonly naming: Naming;
  readonly timers: Timers;
  readonly logger: Logger;
}

const RETRY_MS = 1000;

/**
 * Keeps this node's own record in the naming service, under its lease. A record of the same name and
 * another disk is another node, or this one before it lost its disk: its lease has to run out first.
 */
export class Announcement {
  readonly #options: AnnouncementOptions;
  #record: NodeRecord | undefined;
  #isAnnounced = false;
  #isTrying = false;
  #isNameTaken = false;
  #isReachable = false;
  #isClosed = false;
  #stopRetry: (() => void) | undefined;

  constructor(options: AnnouncementOptions) {
    this.#options = options;
  }

  /** What is to be announced from now on. */
  set(self: Omit<NodeRecord, "name" | "disk">): void {
    const { node, disk } = this.#options;
    this.#record = { ...self, name: node, disk };
    // Checked here, where it is given, and not in the background.
    encodeRecord({ kind: "node", record: this.#record });
    this.#isAnnounced = false;
    this.#try();
  }

  reachable(isReachable: boolean): void {
    this.#isReachable = isReachable;
    this.#try();
  }

  /** @throws EnokiError `ENOKI_NAMING_REFUSED` while another node has our name */
  requireName(): void {
    if (!this.#isNameTaken) return;
    const detail = `another node is named "${this.#options.node}", or this one was until its lease ends`;
    throw new EnokiError("ENOKI_NAMING_REFUSED", detail);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopRetry?.();
  }

  #try(): void {
    const isDue = this.#isReachable && !this.#isAnnounced && this.#record !== undefined;
    if (!isDue || this.#isTrying || this.#isClosed) return;
    this.#isTrying = true;
    this.#announce(this.#record as NodeRecord)
      .catch((error: unknown) => {
        if (!(error instanceof EnokiError)) throw error;
      })
      .finally(() => {
        this.#isTrying = false;
        if (this.#isAnnounced || this.#isClosed) return;
        this.#stopRetry = this.#options.timers.after(RETRY_MS, () => this.#try());
      });
  }

  async #announce(record: NodeRecord): Promise<void> {
    const { naming, disk, node, logger } = this.#options;
    const key = nodeKey(node);
    const entry = (await naming.read(key)).find((candidate) => candidate.key === key);
    if (this.#isClosed) return;
    const other = entry === undefined ? undefined : readable(key, entry.value);
    if (other !== undefined && other.disk !== disk) {
      if (!this.#isNameTaken) logger.warn({ node }, `another node is named "${node}" as well`);
      this.#isNameTaken = true;
      return;
    }
    const value = encodeRecord({ kind: "node", record });
    const checks = [{ key, revision: entry?.revision ?? 0 }];
    const isDone = await naming.transact(checks, [{ key, value, isLeased: true }]);
    if (!isDone) return;
    this.#isNameTaken = false;
    this.#isAnnounced = this.#record === record;
  }
}

/** `undefined` for garbage, which may be written over. */
function readable(key: string, value: string): NodeRecord | undefined {
  try {
    const any = decodeRecord(key, value);
    return any?.kind === "node" ? any.record : undefined;
  } catch {
    return undefined;
  }
}
