import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { assertNever } from "../../base/assert.js";
import { buildBinary } from "./binary-build.js";
import { buildPython } from "./python-build.js";
import type { Build, BuildRequest, BuildResult } from "./types.js";

/**
 * Builds a function once, for every node that will run it: the artefact needs no registry, no
 * compiler and no network any more. The same source gives the same files.
 * @throws EnokiError `ENOKI_BUILD_FAILED` with the tool's own words, or `ENOKI_NO_ENTRY`
 */
export async function buildFunction(request: BuildRequest): Promise<BuildResult> {
  const remarks: string[] = [];
  const log = (text: string): void => {
    if (text === "") return;
    remarks.push(text);
    request.log?.(text);
  };
  const build: Build = { ...request, codeDir: join(request.outDir, "code"), log };
  request.signal?.throwIfAborted();
  await mkdir(build.codeDir, { recursive: true });
  const made = await buildKind(build);
  request.signal?.throwIfAborted();
  return { ...made, buildLog: remarks.join("\n") };
}

async function buildKind(build: Build): Promise<Omit<BuildResult, "buildLog">> {
  switch (build.runtime) {
    case "node":
    case "nodejs": {
      // why: a node that only runs what it has built before need not load the bundler.
      const { buildNode } = await import("./node-build.js");
      return buildNode(build);
    }
    case "python":
    case "python3":
    case "python3-kv":
      return buildPython(build);
    case "binary":
    case "tinyfaas-binary":
      return buildBinary(build);
    default:
      return assertNever(build.runtime);
  }
}
