import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { EnokiError } from "../../core/errors.js";
import type { ArtefactStore } from "../artefacts.js";
import { type BuildTarget, builtFor, hasNativeFiles } from "../build-target.js";
import type { BuildStep } from "../deployer.js";
import { detectEntry } from "../source/entry.js";
import { unpackSource } from "../source/source-root.js";
import type { RuntimeName } from "../types.js";
import { buildFunction } from "./build-function.js";

/** What builds need from the node. */
export interface BuildStepOptions {
  readonly store: ArtefactStore;
  /** The Python that runs functions; `undefined` if the machine has none. */
  readonly pythonPath: string | undefined;
  /** What this machine runs. */
  readonly target: BuildTarget;
  /** Ends a running build, for a node that shuts down. */
  readonly signal?: AbortSignal;
  readonly log?: (text: string) => void;
}

/** What is built, and with what. */
export interface SourceRequest {
  /** The zip, as a file. */
  readonly archivePath: string;
  readonly runtime: RuntimeName | undefined;
  /** What is unpacked and built lies in here. */
  readonly workDir: string;
  readonly allowBuild: boolean;
  /** The Python that runs functions; `undefined` if the machine has none. */
  readonly pythonPath: string | undefined;
}

/** What came of it. */
export interface BuiltSource {
  readonly runtime: RuntimeName;
  readonly entry: string;
  readonly hasDeps: boolean;
  /** Some file of it is machine code. */
  readonly hasNative: boolean;
  /** Folder with `code`, maybe `deps`. */
  readonly outDir: string;
}

/**
 * Unpacks an archive, finds the entry and builds the artefact's folder.
 * @throws EnokiError for a bad archive, runtime, entry or build
 */
export async function buildSource(
  request: SourceRequest,
  hooks: Pick<BuildStepOptions, "signal" | "log"> = {},
): Promise<BuiltSource> {
  const { workDir, runtime, allowBuild, pythonPath } = request;
  const archive = await readFile(request.archivePath);
  const sourceDir = await unpackSource(archive, join(workDir, "source"));
  const found = await detectEntry(sourceDir, runtime);
  const outDir = join(workDir, "built");
  const built = await buildFunction({
    ...found,
    ...hooks,
    sourceDir,
    outDir,
    allowBuild,
    pythonPath: pythonPath ?? missingPython(found.runtime),
  });
  return {
    runtime: found.runtime,
    entry: built.entry,
    hasDeps: built.depsDir !== undefined,
    hasNative: await hasNativeFiles(outDir),
    outDir,
  };
}

/** Makes the step of a deploy that turns an archive into a stored artefact, in this process. */
export function createBuildStep(options: BuildStepOptions): BuildStep {
  const { store, pythonPath, target, ...hooks } = options;
  return async ({ archive, ...request }) => {
    const archivePath = join(request.workDir, "archive.zip");
    await mkdir(request.workDir, { recursive: true });
    await writeFile(archivePath, archive);
    const built = await buildSource({ ...request, archivePath, pythonPath }, hooks);
    const { runtime, entry, hasDeps, hasNative } = built;
    const { hash, sizeBytes } = await store.add(built.outDir);
    const made = builtFor(runtime, hasNative, target);
    return { runtime, entry, hasDeps, hash, sizeBytes, builtFor: made };
  };
}

/** Only Python functions need Python; the others never look at the path. */
function missingPython(runtime: string): string {
  if (!runtime.startsWith("python")) return "python3";
  throw new EnokiError("ENOKI_RUNTIME_UNAVAILABLE", "there is no Python 3 on this node");
}
