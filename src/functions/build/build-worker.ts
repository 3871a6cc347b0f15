import { EnokiError } from "../../core/errors.js";
import { toDeployError } from "../deploy-error.js";
import { buildSource, type SourceRequest } from "./build-step.js";

/**
 * The program behind `build-process.ts`: builds one function and ends. What a build needs (a
 * bundler, archives, dependencies in memory) is gone with it, and a node that stays small does not
 * have to load any of it.
 */

/** What the worker answers: how the build ended. */
export type WorkerAnswer =
  | { readonly built: Awaited<ReturnType<typeof buildSource>> }
  | { readonly code: string; readonly message: string; readonly extra: object };

async function answer(request: SourceRequest): Promise<WorkerAnswer> {
  try {
    return { built: await buildSource(request) };
  } catch (thrown) {
    const error = toDeployError(thrown);
    if (error instanceof EnokiError) {
      return { code: error.code, message: error.message, extra: error.extra };
    }
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { code: "ENOKI_INTERNAL", message, extra: {} };
  }
}

// Without its node the worker has nobody to work for. why it does not end by itself: the node could see
// that before the answer. It ends the channel once it has that.
process.on("disconnect", () => process.exit());
process.once("message", (request: SourceRequest) => {
  void answer(request).then((result) => process.send?.(result));
});
