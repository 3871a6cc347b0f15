import { EnokiError } from "../core/errors.js";
import type { FunctionName, NodeName } from "../core/ids.js";
import type { ArtefactStore } from "../functions/artefacts.js";
import { toDeployError } from "../functions/deploy-error.js";
import type { PeerRequests } from "../peers/requests.js";
import type { Logger } from "../ports/logger.js";
import type { Timers } from "../ports/timers.js";
import { ArtefactIntake } from "./artefact-intake.js";
import { ARTEFACT_METHOD, encodeArtefactRequest } from "./artefact-request.js";

/** What fetching takes. */
export interface ArtefactFetcherOptions {
  readonly requests: Pick<PeerRequests, "stream">;
  readonly store: ArtefactStore;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The longest wait for a piece. */
  readonly pieceTimeoutMs: number;
}

/** What is fetched, and from whom. */
export interface Fetch {
  readonly name: FunctionName;
  readonly hash: string;
  /** Nodes that may have it, the likeliest first; asked anew for each try. */
  readonly sources: () => readonly NodeName[];
  readonly signal: AbortSignal;
}

const FETCHES_MAX = 2;
/** Rounds over all nodes, once something has come. */
const ROUNDS_MAX = 8;
const PAUSE_MS = 250;
/** Failures of the other node or of the way to it; all else is our own. */
const THEIRS: ReadonlySet<string> = new Set([
  "ENOKI_PEER_UNREACHABLE",
  "ENOKI_OUTCOME_UNKNOWN",
  "ENOKI_QUEUE_FULL",
  "ENOKI_NOT_FOUND",
  "ENOKI_FORBIDDEN",
  "ENOKI_UNSUPPORTED",
  "ENOKI_PROTOCOL",
  "ENOKI_INTERNAL",
]);

/** Fetches artefacts from other nodes. What is in the store afterwards is whole and verified. */
export class ArtefactFetcher {
  readonly #options: ArtefactFetcherOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: ArtefactFetcherOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the artefact is in the store.
   * @throws EnokiError `ENOKI_PEER_UNREACHABLE` saying what each node said, `ENOKI_DISK_FULL`
   */
  async fetch(fetch: Fetch): Promise<void> {
    const { store } = this.#options;
    if (await store.has(fetch.hash)) return;
    await this.#begin();
    const intake = new ArtefactIntake(fetch.hash, store.scratchDir());
    try {
      await this.#fill(intake, fetch);
      const { hash } = await store.add(intake.dir);
      if (hash === fetch.hash) return;
      await store.remove(hash);
      throw new EnokiError("ENOKI_PROTOCOL", "the files came to another hash");
    } catch (error) {
      throw toDeployError(error);
    } finally {
      await intake.discard();
      this.#end();
    }
  }

  async #fill(intake: ArtefactIntake, fetch: Fetch): Promise<void> {
    /** Nodes that sent something else than what was asked for. */
    const liars = new Set<NodeName>();
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (round > 0) await this.#pause(PAUSE_MS * 2 ** round);
      const answers: string[] = [];
      for (const node of fetch.sources()) {
        if (liars.has(node)) continue;
        const failure = await this.#takeFrom(node, intake, fetch);
        if (failure === undefined) return;
        if (failure.code === "ENOKI_PROTOCOL") liars.add(node);
        answers.push(`${node}: ${failure.message}`);
      }
      if (intake.next.from > 0 && round < ROUNDS_MAX - 1) continue;
      const said = answers.length > 0 ? answers.join("; ") : "no other node has it";
      throw new EnokiError("ENOKI_PEER_UNREACHABLE", `the code could not be fetched: ${said}`);
    }
  }

  /** Takes as much as one node gives; returns why it was not all. */
  async #takeFrom(
    node: NodeName,
    intake: ArtefactIntake,
    { name, hash, signal }: Fetch,
  ): Promise<EnokiError | undefined> {
    const { requests, logger, pieceTimeoutMs } = this.#options;
    intake.restart();
    const body = encodeArtefactRequest({ function: name, hash, ...intake.next });
    const options = { timeoutMs: pieceTimeoutMs, signal, lane: "bulk" } as const;
    try {
      for await (const piece of requests.stream(node, ARTEFACT_METHOD, body, options)) {
        await intake.take(piece);
      }
      if (intake.isComplete) return undefined;
      return new EnokiError("ENOKI_PROTOCOL", "it sent less than the artefact");
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof EnokiError) || !THEIRS.has(error.code)) throw error;
      logger.debug({ node, hash, code: error.code }, `no artefact: ${error.message}`);
      return error;
    }
  }

  async #begin(): Promise<void> {
    if (this.#running < FETCHES_MAX) this.#running += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #end(): void {
    // Whoever waits takes the place over.
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
  }

  #pause(pauseMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.timers.after(pauseMs, resolve));
  }
}
