import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { Command } from "commander";

import { closest } from "../../base/closest.js";
import { packageFile } from "../../installation/package-files.js";
import { EnokiError } from "../../core/errors.js";
import { addCommand, type Cli } from "../command.js";
import { nameFromPath } from "../deploying.js";
import { write } from "../io.js";

const TEMPLATES_DIR = packageFile("templates");

/**
 * Stands in the templates for where an editor finds the types of `enoki`: in this installation. A
 * function has no package of that name to install.
 */
const TYPES_PLACEHOLDER = "ENOKI_TYPES";
const TYPES_PATH = packageFile("dist/index.d.ts");

/** Stands in the templates for the name that the function will get. */
const NAME_PLACEHOLDER = "FUNCTION_NAME";

/** `enoki init` */
export function addInitCommand(program: Command, cli: Cli): void {
  addCommand(program, {
    usage: "init",
    description: "start a function from a template",
    examples: ["enoki init python hello", "enoki init typescript ./functions/greeter"],
  })
    .argument("[template]", "python or typescript", "python")
    .argument("[dir]", "folder to make; an existing one must be empty", "hello")
    .action(async (template: string, dir: string) => {
      const files = await createFromTemplate(template, dir);
      for (const file of files) await write(cli.io.stdout, `${join(dir, file)}\n`);
      await write(
        cli.io.stderr,
        `next: enoki deploy ${dir} && enoki invoke ${nameFromPath(dir)} World\n`,
      );
    });
}

/** Copies a template into `dir` and returns its files. @throws EnokiError `ENOKI_INVALID_INPUT` */
async function createFromTemplate(template: string, dir: string): Promise<string[]> {
  const templates = (await readdir(TEMPLATES_DIR)).sort();
  if (!templates.includes(template)) {
    const meant = closest(template, templates);
    const hint =
      meant === undefined ? `there are ${templates.join(", ")}` : `did you mean ${meant}?`;
    throw invalid(`no template ${JSON.stringify(template)}; ${hint}`);
  }
  await makeEmptyFolder(dir);
  await cp(join(TEMPLATES_DIR, template), dir, { recursive: true });
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name));
  const name = nameFromPath(dir);
  for (const path of paths) {
    const content = await readFile(path, "utf8");
    const filled = content
      .replaceAll(NAME_PLACEHOLDER, name)
      .replaceAll(TYPES_PLACEHOLDER, TYPES_PATH);
    await writeFile(path, filled);
  }
  return paths.map((path) => relative(dir, path).replaceAll(sep, "/")).sort();
}

async function makeEmptyFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { recursive: true });
    if ((await readdir(dir)).length === 0) return;
  } catch (error) {
    throw invalid(`cannot make ${dir} (${(error as NodeJS.ErrnoException).code})`);
  }
  throw invalid(`${dir} is not empty`);
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", detail);
}
