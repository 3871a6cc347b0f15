import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { IGNORED_FOLDERS } from "../source/source-root.js";
import { bundle, BUNDLE_NAME } from "./bundle.js";
import { copyTree } from "./copy-tree.js";
import { guestModuleSource } from "./enoki-module.js";
import { installPackages } from "./npm-install.js";
import type { Build } from "./types.js";

/**
 * Builds a TypeScript or JavaScript function: installs its packages in a scratch copy, bundles
 * all into one module and puts that beside the function's own files, so that it finds data with
 * `import.meta.dirname` or `__dirname`. Packages that read files of their own keep their folder.
 */
export async function buildNode(request: Build): Promise<{ entry: string }> {
  const workDir = `${request.outDir}.work`;
  try {
    await copyTree(request.sourceDir, workDir, { skippedFolders: new Set([".git"]) });
    await installPackages(workDir, request);
    let made = await bundle(workDir, request.entry, false);
    await copyTree(request.sourceDir, request.codeDir, { skippedFolders: IGNORED_FOLDERS });
    if (made.needsPackages) {
      request.log(
        "A package reads files beside its code, so node_modules stays beside the bundle.",
      );
      made = await bundle(workDir, request.entry, true);
      await keepPackages(workDir, request.codeDir);
    }
    if (made.warnings !== "") request.log(made.warnings.trimEnd());
    for (const { name, contents } of made.files) {
      await mkdir(dirname(join(request.codeDir, name)), { recursive: true });
      await writeFile(join(request.codeDir, name), contents);
    }
    return { entry: BUNDLE_NAME };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function keepPackages(workDir: string, codeDir: string): Promise<void> {
  const from = join(workDir, "node_modules");
  const to = join(codeDir, "node_modules");
  if ((await stat(from).catch(() => undefined)) === undefined) return;
  await copyTree(from, to, { skippedFolders: new Set([".bin", ".cache"]), within: workDir });
  // npm's note about this installation; not part of any package.
  await rm(join(to, ".package-lock.json"), { force: true });
  // A package outside the bundle may import `enoki` as well.
  await rm(join(to, "enoki"), { recursive: true, force: true });
  await mkdir(join(to, "enoki"));
  await writeFile(join(to, "enoki/package.json"), `{"name":"enoki","exports":"./index.mjs"}\n`);
  await writeFile(join(to, "enoki/index.mjs"), guestModuleSource());
}
