import { join } from "node:path";

import { EnokiError } from "../../core/errors.js";
import type { ArtefactStore } from "../artefacts.js";
import type { BuildStep } from "../deployer.js";
import { detectEntry } from "../source/entry.js";
import { unpackSource } from "../source/source-root.js";
import { buildFunction } from "./build-function.js";

/** What builds need from the node. */
export interface BuildStepOptions {
  readonly store: ArtefactStore;
  /** The Python that runs functions; `undefined` if the machine has none. */
  readonly pythonPath: string | undefined;
  /** Ends a running build, for a node that shuts down. */
  readonly signal?: AbortSignal;
  readonly log?: (text: string) => void;
}

/**
 * Makes the step of a deploy that turns an archive into a stored artefact; what it unpacks and
 * builds lies in the deploy's `workDir`.
 */
export function createBuildStep(options: BuildStepOptions): BuildStep {
  return async ({ archive, runtime, workDir, allowBuild }) => {
    const sourceDir = await unpackSource(archive, join(workDir, "source"));
    const found = await detectEntry(sourceDir, runtime);
    const outDir = join(workDir, "built");
    const built = await buildFunction({
      ...found,
      sourceDir,
      outDir,
      allowBuild,
      pythonPath: options.pythonPath ?? missingPython(found.runtime),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.log === undefined ? {} : { log: options.log }),
    });
    const { hash, sizeBytes } = await options.store.add(outDir);
    const hasDeps = built.depsDir !== undefined;
    return { runtime: found.runtime, entry: built.entry, hasDeps, hash, sizeBytes };
  };
}

/** Only Python functions need Python; the others never look at the path. */
function missingPython(runtime: string): string {
  if (!runtime.startsWith("python")) return "python3";
  throw new EnokiError("ENOKI_RUNTIME_UNAVAILABLE", "there is no Python 3 on this node");
}
