import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

import { Sequences } from "../base/sequences.js";
import type { FunctionName } from "../core/ids.js";
import { EnokiError } from "../core/errors.js";
import type { Clock } from "../ports/clock.js";
import type { BuiltFor } from "./build-target.js";
import { toDeployError } from "./deploy-error.js";
import type { DeployRequest } from "./facade.js";
import { withSecrets } from "./secret-changes.js";
import { RUNTIMES, type FunctionConfig, type Revision, type RuntimeName } from "./types.js";

/** What a build step gives. */
export interface BuiltArtefact {
  readonly runtime: RuntimeName;
  readonly entry: string;
  readonly hasDeps: boolean;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly builtFor: BuiltFor;
}

/** Turns an unpacked archive into a stored artefact. */
export type BuildStep = (source: {
  readonly archive: Buffer;
  readonly runtime: RuntimeName | undefined;
  readonly workDir: string;
  readonly allowBuild: boolean;
}) => Promise<BuiltArtefact>;

/** What a {@link Deployer} is built from. */
export interface DeployerOptions {
  readonly build: BuildStep;
  /** A folder for scratch space, on the same file system as the artefacts. */
  readonly scratchDir: string;
  readonly clock: Clock;
  /** Settings for what a deploy leaves unsaid. */
  readonly defaults: FunctionConfig;
}

/** Makes revisions: unpack, build, store. One at a time per function. */
export class Deployer {
  readonly #options: DeployerOptions;
  readonly #sequences = new Sequences();

  constructor(options: DeployerOptions) {
    this.#options = options;
  }

  /** Runs `work` after every earlier piece of work on the same function, whatever became of it. */
  async inOrder<T>(name: FunctionName, work: () => Promise<T>): Promise<T> {
    return this.#sequences.run(name, work);
  }

  /**
   * Builds the next revision; nothing serves it yet.
   * @throws EnokiError for a bad archive, runtime, entry or build
   */
  async makeRevision(
    request: DeployRequest,
    number: number,
    previous: Pick<Revision, "config"> | undefined,
  ): Promise<Revision> {
    const runtime = parseRuntime(request.runtime);
    const config = withSecrets(
      { ...(previous?.config ?? this.#options.defaults), ...request.config },
      request.secrets ?? {},
    );
    let workDir: string | undefined;
    try {
      workDir = await mkdtemp(join(this.#options.scratchDir, "deploy-"));
      const built = await this.#options.build({
        archive: request.archive,
        runtime,
        workDir,
        allowBuild: request.allowBuild,
      });
      return {
        number,
        runtime: built.runtime,
        entry: built.entry,
        artefact: built.hash,
        artefactSizeBytes: built.sizeBytes,
        hasDeps: built.hasDeps,
        config,
        archive: createHash("sha256").update(request.archive).digest("hex"),
        builtFor: built.builtFor,
        createdAtMs: this.#options.clock.nowMs(),
      };
    } catch (error) {
      throw toDeployError(error);
    } finally {
      if (workDir !== undefined) await rm(workDir, { recursive: true, force: true });
    }
  }
}

/** @throws EnokiError `ENOKI_INVALID_RUNTIME` */
function parseRuntime(text: string | undefined): RuntimeName | undefined {
  if (text === undefined) return undefined;
  const runtime = RUNTIMES.find((name) => name === text);
  if (runtime) return runtime;
  throw new EnokiError("ENOKI_INVALID_RUNTIME", `there is no runtime "${text.slice(0, 40)}"`);
}
