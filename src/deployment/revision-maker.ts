import { currentOf, targetNodes } from "../cluster/function-changes.js";
import type { RevisionRecord } from "../cluster/records.js";
import type { View } from "../cluster/view.js";
import { EnokiError } from "../core/errors.js";
import type { FunctionName, NodeName } from "../core/ids.js";
import type { ArtefactStore } from "../functions/artefacts.js";
import { type BuildTarget, describeTarget, fits } from "../functions/build-target.js";
import type { Deployer } from "../functions/deployer.js";
import { readSource } from "../functions/source-archive.js";
import type { ArtefactFetcher } from "./artefact-fetcher.js";
import type { LocalFunctions } from "./local-functions.js";
import { type ClusterRevision, fromRecord } from "./revision-code.js";

/** What making revisions takes. */
export interface RevisionMakerOptions {
  readonly node: NodeName;
  readonly target: BuildTarget;
  readonly view: View;
  readonly store: ArtefactStore;
  readonly fetcher: ArtefactFetcher;
  readonly deployer: Pick<Deployer, "makeRevision">;
  readonly functions: Pick<LocalFunctions, "recordOf">;
}

/** Brings revisions that were deployed elsewhere to this node: fetched, or built anew from the source. */
export class RevisionMaker {
  readonly #options: RevisionMakerOptions;

  constructor(options: RevisionMakerOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the code is here; nothing serves it yet.
   * @throws EnokiError what fetching or building throws, `ENOKI_RUNTIME_UNAVAILABLE` if this machine cannot
   */
  async make(
    name: FunctionName,
    record: RevisionRecord,
    signal: AbortSignal,
  ): Promise<ClusterRevision> {
    const { target } = this.#options;
    const wanted = fromRecord(record);
    const here = await this.#here(name, wanted);
    if (here) return here;
    if (fits(wanted.builtFor ?? {}, target)) {
      await this.#fetch(name, wanted.artefact, record, signal);
      return wanted;
    }
    return this.#rebuild(name, wanted, record, signal);
  }

  /** Fetches the source too, so that it is there for others when its first node is gone. */
  async keepSource(name: FunctionName, record: RevisionRecord, signal: AbortSignal): Promise<void> {
    await this.#fetch(name, fromRecord(record).origin.source, record, signal);
  }

  /** In words, if a revision was built here instead of where it was deployed. */
  remarkOn(revision: ClusterRevision, record: RevisionRecord): string | undefined {
    const first = fromRecord(record);
    if (revision.artefact === first.artefact || !revision.builtFor) return undefined;
    if (fits(first.builtFor ?? {}, this.#options.target)) return undefined;
    const { platform, python } = this.#options.target;
    const made = { platform, ...(revision.builtFor.python && { python }) };
    return `rebuilt for ${describeTarget(made)}`;
  }

  /** The revision as it was made here before. */
  async #here(name: FunctionName, wanted: ClusterRevision): Promise<ClusterRevision | undefined> {
    const { functions, store } = this.#options;
    const known = functions.recordOf(name)?.revisions.find(({ number, origin }) => {
      return number === wanted.number && origin?.deploy === wanted.origin.deploy;
    });
    if (!known || !fits(known.builtFor ?? {}, this.#options.target)) return undefined;
    return (await store.has(known.artefact)) ? { ...known, origin: wanted.origin } : undefined;
  }

  async #rebuild(
    name: FunctionName,
    wanted: ClusterRevision,
    record: RevisionRecord,
    signal: AbortSignal,
  ): Promise<ClusterRevision> {
    const { deployer, store, target } = this.#options;
    const { origin, runtime, config } = wanted;
    const needs = describeTarget(wanted.builtFor ?? {});
    if (runtime === "binary" || runtime === "tinyfaas-binary") {
      const detail = `the program is for ${needs}; this node is ${target.platform}`;
      throw new EnokiError("ENOKI_RUNTIME_UNAVAILABLE", detail);
    }
    await this.#fetch(name, origin.source, record, signal);
    const archive = await readSource(store, origin.source);
    const { allowBuild } = origin;
    const built = await deployer.makeRevision(
      { name, archive, runtime, config, allowBuild },
      wanted.number,
      undefined,
    );
    return { ...built, createdAtMs: wanted.createdAtMs, origin };
  }

  async #fetch(
    name: FunctionName,
    hash: string,
    record: RevisionRecord,
    signal: AbortSignal,
  ): Promise<void> {
    const sources = (): NodeName[] => this.#sourcesOf(name, record);
    await this.#options.fetcher.fetch({ name, hash, sources, signal });
  }

  /** Where it was deployed, then those who run it, then those who once may have. */
  #sourcesOf(name: FunctionName, { deployedOn, number }: RevisionRecord): NodeName[] {
    const { node, view } = this.#options;
    const record = view.function(name);
    if (!record) return [];
    const isCurrent = currentOf(record)?.number === number;
    const ready = view
      .functionNodes(name)
      .filter(({ state, revision }) => isCurrent && state === "ready" && revision === number)
      .map((known) => known.node);
    const targets = targetNodes(
      record,
      view.nodes().map((known) => known.record),
    );
    return [...new Set([deployedOn, ...ready, ...targets])].filter((other) => other !== node);
  }
}
