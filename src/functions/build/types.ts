import type { RuntimeName } from "../types.js";

/** What to build, and how. */
export interface BuildRequest {
  /** The function's folder; it is only read. */
  readonly sourceDir: string;
  readonly runtime: RuntimeName;
  /** Relative to `sourceDir`. */
  readonly entry: string;
  /** Where the artefact goes; made by the build, must not exist. `${outDir}.work` is used too. */
  readonly outDir: string;
  /** Let pip run the build scripts of packages that come without a wheel. */
  readonly allowBuild: boolean;
  /** The Python that will run the function. */
  readonly pythonPath: string;
  readonly signal?: AbortSignal | undefined;
  /** Called with each remark of the build as it happens. */
  readonly log?: (text: string) => void;
}

/** A built artefact: `outDir/code`, and for Python packages `outDir/deps`. */
export interface BuildResult {
  /** Relative to `code`. */
  readonly entry: string;
  readonly depsDir?: "deps";
  /** Everything that the build remarked, for the function's log. */
  readonly buildLog: string;
}

/** What one kind of build needs: the request, with a log that is kept. */
export type Build = Omit<BuildRequest, "log"> & {
  readonly codeDir: string;
  readonly log: (text: string) => void;
};
