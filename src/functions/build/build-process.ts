import { fork } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { packageFile } from "../../installation/package-files.js";
import { EnokiError, isErrorCode } from "../../core/errors.js";
import type { Logger } from "../../ports/logger.js";
import type { ArtefactStore } from "../artefacts.js";
import { type BuildTarget, builtFor } from "../build-target.js";
import type { BuildStep } from "../deployer.js";
import type { SourceRequest } from "./build-step.js";
import type { WorkerAnswer } from "./build-worker.js";

const BUILD_WORKER = packageFile("dist/functions/build/build-worker.js");

/** What builds in processes of their own need from the node. */
export interface BuildProcessOptions {
  readonly store: ArtefactStore;
  /** The Python that runs functions; `undefined` if the machine has none. */
  readonly pythonPath: string | undefined;
  /** What this machine runs. */
  readonly target: BuildTarget;
  readonly logger: Logger;
  /** Ends running builds and refuses further ones: the node shuts down. */
  readonly signal: AbortSignal;
}

/**
 * Makes the step of a deploy that turns an archive into a stored artefact. Each build runs in a
 * process of its own: it cannot slow the calls that the node serves, and takes its memory with it.
 */
export function createBuildProcess(options: BuildProcessOptions): BuildStep {
  return async ({ archive, runtime, workDir, allowBuild }) => {
    const archivePath = join(workDir, "archive.zip");
    await writeFile(archivePath, archive);
    const built = await runWorker(
      { archivePath, runtime, workDir, allowBuild, pythonPath: options.pythonPath },
      options,
    );
    const { hash, sizeBytes } = await options.store.add(built.outDir);
    const { entry, hasDeps, hasNative } = built;
    const made = builtFor(built.runtime, hasNative, options.target);
    return { runtime: built.runtime, entry, hasDeps, hash, sizeBytes, builtFor: made };
  };
}

type Built = Extract<WorkerAnswer, { built: unknown }>["built"];

async function runWorker(
  request: SourceRequest,
  { logger, signal }: BuildProcessOptions,
): Promise<Built> {
  if (signal.aborted) throw new EnokiError("ENOKI_DRAINING");
  const worker = fork(BUILD_WORKER, [], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    execArgv: [],
  });
  const end = (): void => void worker.kill("SIGKILL");
  signal.addEventListener("abort", end);
  const answer = await new Promise<WorkerAnswer>((resolve, reject) => {
    worker.once("message", (message) => {
      resolve(message as WorkerAnswer);
      if (worker.connected) worker.disconnect();
    });
    worker.once("error", reject);
    worker.once("exit", (code, killedBy) =>
      reject(
        signal.aborted
          ? new EnokiError("ENOKI_DRAINING")
          : new EnokiError("ENOKI_BUILD_FAILED", `the build ended with ${killedBy ?? code}`),
      ),
    );
    worker.send(request);
  }).finally(() => signal.removeEventListener("abort", end));
  if ("built" in answer) return answer.built;
  const code = isErrorCode(answer.code) ? answer.code : "ENOKI_INTERNAL";
  if (code !== "ENOKI_INTERNAL") throw new EnokiError(code, answer.message, { ...answer.extra });
  logger.error({ error: answer.message }, "a build failed");
  throw new EnokiError(code);
}
