import { Command, CommanderError } from "commander";

import { packageVersion } from "../installation/package-files.js";
import type { Cli } from "./command.js";
import { addCertsCommand } from "./commands/certs.js";
import { addDeployCommand } from "./commands/deploy.js";
import { addDevCommand } from "./commands/dev.js";
import { addDoctorCommand } from "./commands/doctor.js";
import { addFunctionsCommand } from "./commands/functions.js";
import { addInitCommand } from "./commands/init.js";
import { addInvocationsCommand } from "./commands/invocations.js";
import { addInvokeCommand } from "./commands/invoke.js";
import { addKeygroupsCommand } from "./commands/keygroups.js";
import { addKvCommand } from "./commands/kv.js";
import { addLogsCommand } from "./commands/logs.js";
import { addNodesCommand } from "./commands/nodes.js";
import { addRollbackCommand } from "./commands/rollback.js";
import { addSecretsCommand } from "./commands/secrets.js";
import { addTokensCommand } from "./commands/tokens.js";
import { addUpCommand, type Serve } from "./commands/up.js";
import { EXIT_CODES, EXIT_WRONG_USE, exitCodeOf, renderError } from "./exit.js";
import { write, type Io } from "./io.js";

const HELP_WIDTH = 100;

/** Runs the command line once and returns its exit code. `args` begin after the program's name. */
export async function run(args: readonly string[], io: Io, serve: Serve): Promise<number> {
  const cli: Cli = { io, exitCode: 0 };
  const program = buildProgram(cli, serve);
  try {
    await program.parseAsync([...args], { from: "user" });
    return cli.exitCode;
  } catch (error) {
    // Commander has printed its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_WRONG_USE;
    await write(io.stderr, renderError(error));
    return exitCodeOf(error);
  }
}

/** All commands with their help. */
export function buildProgram(cli: Cli, serve: Serve): Command {
  const { stdout, stderr } = cli.io;
  const program = new Command("enoki")
    .description("functions from edge to cloud, with replicated state built into every node")
    .version(packageVersion(), "--version", "print the version")
    .exitOverride()
    .showHelpAfterError("fix: add --help to see how it is used")
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(`${text.trimEnd()}\ncode: ENOKI_INVALID_INPUT\n`),
      getOutHelpWidth: () => stdout.columns ?? HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    });
  addUpCommand(program, cli, serve);
  addDeployCommand(program, cli);
  addInvokeCommand(program, cli);
  addFunctionsCommand(program, cli);
  addRollbackCommand(program, cli);
  addLogsCommand(program, cli);
  addKvCommand(program, cli);
  addKeygroupsCommand(program, cli);
  addInvocationsCommand(program, cli);
  addNodesCommand(program, cli);
  addTokensCommand(program, cli);
  addSecretsCommand(program, cli);
  addCertsCommand(program, cli);
  addInitCommand(program, cli);
  addDevCommand(program, cli);
  addDoctorCommand(program, cli);
  return program.addHelpText("after", mainHelp());
}

function mainHelp(): string {
  const codes = EXIT_CODES.map(([code, meaning]) => `  ${code}  ${meaning}`);
  const examples = [
    "enoki up",
    "enoki init python hello && enoki deploy hello && enoki invoke hello World",
  ].map((example) => `  $ ${example}`);
  return `\nExamples:\n${examples.join("\n")}\n\nExit codes:\n${codes.join("\n")}\n`;
}
