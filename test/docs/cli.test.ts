import type { Command, Option } from "commander";
import { Readable, Writable } from "node:stream";
import { expect, test } from "vitest";

import { EXIT_CODES } from "../../src/cli/exit.js";
import type { Io } from "../../src/cli/io.js";
import { buildProgram } from "../../src/cli/program.js";
import { readPage } from "./pages.js";

const page = await readPage("docs/reference/cli.md");
const commands = leaves(makeProgram(), "enoki");

/** Flags that are told once for all commands. */
const SHARED_FLAGS = new Set(["--node", "--token", "--session", "--help"]);

function makeProgram(): Command {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const io: Io = {
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    env: {},
    onSignal: () => () => {},
    exit: () => {},
  };
  return buildProgram({ io, exitCode: 0 }, () => Promise.reject(new Error("no node")));
}

/** All commands that do something, by what one types. */
function leaves(command: Command, path: string): [string, Command][] {
  if (command.commands.length === 0) return [[path, command]];
  return command.commands.flatMap((child) => leaves(child, `${path} ${child.name()}`));
}

/** What stands under the heading of a command. */
function sectionOf(path: string): string {
  const [, section] =
    new RegExp(`^##+ ${path}\\n([\\s\\S]*?)(?=^##|$(?![\\s\\S]))`, "m").exec(page) ?? [];
  return section ?? "";
}

function isShared({ long, description }: Option): boolean {
  return (
    SHARED_FLAGS.has(long ?? "") || (long === "--json" && description.startsWith("print JSON"))
  );
}

function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return help;
}

test.each(commands.filter(([path]) => path !== "enoki up"))(
  "%s has a section with all its arguments and flags",
  (path, command) => {
    const section = sectionOf(path);
    expect(section).not.toBe("");
    for (const argument of command.registeredArguments) expect(section).toContain(argument.name());
    for (const option of command.options.filter((option) => !isShared(option))) {
      expect(section).toContain(`\`${option.flags}\``);
    }
  },
);

test.each(commands)("%s shows an example in its help, and the page the same", (path, command) => {
  const examples = [...helpOf(command).matchAll(/^ {2}\$ (.*)$/gm)].map(
    ([, line]) => line as string,
  );
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) expect(sectionOf(path)).toContain(example);
});

test("the page names no command or flag that does not exist", () => {
  const headings = [...page.matchAll(/^##+ (enoki .*)$/gm)].map(([, path]) => path as string);
  const paths = commands.map(([path]) => path);
  for (const heading of headings) {
    expect(paths.some((path) => path === heading || path.startsWith(`${heading} `))).toBe(true);
  }
  const known = new Set(commands.flatMap(([, command]) => command.options.map(({ long }) => long)));
  known.add("--help");
  for (const [flag] of page.matchAll(/--[a-z][a-z-]*/g)) expect(known).toContain(flag);
});

test("the exit codes on the page are those of the help", () => {
  for (const [code, meaning] of EXIT_CODES) expect(page).toContain(`| ${code} | ${meaning} |`);
});
