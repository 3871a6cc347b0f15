import { Option, type Command } from "commander";

import { closest } from "../base/closest.js";
import { EnokiError } from "../core/errors.js";
import { connect, type Client } from "../client/client.js";
import { RemoteError } from "../client/problem.js";
import type { Io } from "./io.js";
import { SessionFile } from "./session-file.js";

/** The node that commands talk to unless told otherwise. */
const DEFAULT_NODE_URL = "http://127.0.0.1:8080";

/** What the commands of one run share. */
export interface Cli {
  readonly io: Io;
  /** Exit code of the run; a command that neither fails nor sets it ends with 0. */
  exitCode: number;
}

/** What a command that talks to a node works with. */
export interface NodeContext<Options> {
  readonly client: Client;
  readonly io: Io;
  readonly options: Options;
  /** The result is for a program. */
  readonly json: boolean;
  readonly cli: Cli;
}

interface NodeOptions {
  readonly node?: string;
  readonly token?: string;
  readonly json?: boolean;
  readonly session?: string;
}

/** A command and what its help shows: usage, one line, and an example or more. */
export interface CommandText {
  /** Name and arguments, such as `rm <name>`. */
  readonly usage: string;
  readonly description: string;
  readonly examples: readonly string[];
}

/** Adds a command with examples in its help. */
export function addCommand(
  parent: Command,
  { usage, description, examples }: CommandText,
): Command {
  const command = parent.command(usage).description(description);
  const title = examples.length === 1 ? "Example" : "Examples";
  return command.addHelpText(
    "after",
    `\n${title}:\n${examples.map((line) => `  $ ${line}\n`).join("")}`,
  );
}

/**
 * Adds a command that talks to a node. `isJsonTaken`: its own `--json` means something else.
 * `seesData`: it calls functions or touches data, and so may be part of a session.
 */
export function addNodeCommand(
  parent: Command,
  text: CommandText & { readonly isJsonTaken?: boolean; readonly seesData?: boolean },
): Command {
  const command = addCommand(parent, text)
    .option("--node <url>", `the node's admin port (ENOKI_NODE, else ${DEFAULT_NODE_URL})`)
    .option("--token <token>", "the node's token (ENOKI_TOKEN)");
  if (text.seesData) {
    const what = "keeps what was seen and written, for reads on any node (ENOKI_SESSION)";
    command.option("--session <file>", what);
  }
  return text.isJsonTaken ? command : command.option("--json", "print JSON, for programs");
}

/** Makes the action of a command that talks to a node. What `handler` throws ends the run. */
export function onNode<Options = object, Args extends unknown[] = string[]>(
  cli: Cli,
  handler: (context: NodeContext<Options>, ...args: Args) => Promise<void>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = given.at(-2) as Options & NodeOptions;
    const args = given.slice(0, -2) as Args;
    const session = sessionFileOf(cli.io, command, options);
    const client = connectTo(cli.io, options, await session?.read());
    const context = { client, io: cli.io, options, json: options.json === true, cli };
    try {
      await handler(context, ...args);
    } catch (error) {
      throw await suggestName(client, command, args, error);
    } finally {
      // Also after a failure: the call may have written.
      await session?.write(client.session);
    }
  };
}

/** A flag that may be given several times; the values are gathered. */
export function repeatable(flags: string, description: string): Option {
  const gather = (value: string, previous: readonly string[] = []): string[] => [
    ...previous,
    value,
  ];
  return new Option(flags, description).argParser(gather);
}

/** Reads a flag or argument that is a whole number. @throws EnokiError `ENOKI_INVALID_INPUT` */
export function wholeNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new EnokiError(
    "ENOKI_INVALID_INPUT",
    `${name}: ${JSON.stringify(text)} is no whole number`,
  );
}

/** Where a command keeps its session, if it has one and was told to. */
function sessionFileOf(
  io: Io,
  command: Command,
  { session }: NodeOptions,
): SessionFile | undefined {
  const path = session ?? (io.env["ENOKI_SESSION"] || undefined);
  const seesData = command.options.some(({ long }) => long === "--session");
  return seesData && path !== undefined ? new SessionFile(path) : undefined;
}

function connectTo(io: Io, { node, token }: NodeOptions, session: string | undefined): Client {
  const url = node ?? (io.env["ENOKI_NODE"] || DEFAULT_NODE_URL);
  const secret = token ?? (io.env["ENOKI_TOKEN"] || undefined);
  return connect({
    url,
    ...(secret === undefined ? {} : { token: secret }),
    ...(session === undefined ? {} : { session }),
  });
}

/** Adds "did you mean" to an error about a name that does not exist but is close to one that does. */
async function suggestName(
  client: Client,
  command: Command,
  args: readonly unknown[],
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof EnokiError)) return error;
  const isFunction = error.code === "ENOKI_FUNCTION_NOT_FOUND";
  if (!isFunction && error.code !== "ENOKI_KEYGROUP_NOT_FOUND") return error;
  const argument = isFunction ? "name" : "keygroup";
  const at = command.registeredArguments.findIndex((known) => known.name() === argument);
  const given = args[at];
  if (typeof given !== "string") return error;
  const list = isFunction ? client.functions.list() : client.keygroups.list();
  const known = await Promise.resolve<readonly { readonly name: string }[]>(list).catch(() => []);
  const meant = closest(
    given,
    known.map(({ name }) => name),
  );
  if (meant === undefined) return error;
  const detail = `${error.message}; did you mean ${meant}?`;
  return new RemoteError(error.code, error.status, detail, error.extra);
}
