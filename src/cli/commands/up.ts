import { readFile, stat } from "node:fs/promises";
import { constants } from "node:os";
import { Option, type Command } from "commander";

import { loadConfig, type NodeConfig } from "../../node/config.js";
import { describeSettings, type SettingDescription } from "../../node/settings.js";
import type { ServingNode } from "../../node/serve.js";
import { addCommand, repeatable, type Cli } from "../command.js";
import { write, type Io } from "../io.js";
import { fields, jsonLine } from "../output.js";

/** What `up` needs of a node that serves. */
type RunningNode = Pick<ServingNode, "ready" | "close">;

/** Starts a node: `serve` in `src/node/serve.ts`. */
export type Serve = (config: NodeConfig, io: Io) => Promise<RunningNode>;

/** `enoki up` */
export function addUpCommand(program: Command, cli: Cli, serve: Serve): void {
  const command = addCommand(program, {
    usage: "up",
    description: "start a node in the foreground; Ctrl-C drains it, a second one ends it at once",
    examples: [
      "enoki up",
      "enoki up --data-dir /var/lib/enoki --function-port 80 --log-format json",
      "enoki up --config node.yaml --json",
      "enoki up --nodes cloud,edge1,edge2",
      "enoki up --tinyfaas",
    ],
  });
  const settings = describeSettings();
  for (const setting of settings) command.addOption(toOption(setting));
  command.addHelpText(
    "after",
    "\nEvery flag is also a variable (--data-dir: ENOKI_DATA_DIR) and a line in the file of\n" +
      "--config (data-dir: …). Flags win over variables, variables over the file.\n" +
      "A port is a number, 0 for any that is free, or off.",
  );
  command.action(async (given: Readonly<Record<string, unknown>>) => {
    const said = settings.map(({ key, flag }) => [key, given[attributeName(flag.slice(2))]]);
    await up(cli.io, serve, Object.fromEntries(said));
  });
}

async function up(io: Io, serve: Serve, flags: Record<string, unknown>): Promise<void> {
  const read = (path: string): Promise<string> => readFile(path, "utf8");
  const isOpenToOthers = async (path: string): Promise<boolean> =>
    ((await stat(path)).mode & 0o007) !== 0;
  const config = await loadConfig({ flags, env: io.env, readFile: read, isOpenToOthers });
  const stopped = whenToldToStop(io);
  const node = await serve(config, io);
  await write(io.stdout, config.json ? jsonLine(node.ready) : banner(node.ready));
  await stopped;
  if (!config.json) await write(io.stderr, "draining; once more ends at once\n");
  await node.close();
}

/** Resolves at the first signal; the second one ends the process. */
function whenToldToStop(io: Io): Promise<void> {
  let signals = 0;
  return new Promise((resolve) => {
    io.onSignal(() => {
      signals += 1;
      if (signals === 1) resolve();
      else io.exit(128 + constants.signals.SIGINT);
    });
  });
}

function banner(ready: RunningNode["ready"]): string {
  const nodes = ready.nodes ?? [ready];
  const shown = nodes.map((node) => {
    const lines = fields([
      ["  functions", node.functions ?? "off"],
      ["  admin", node.admin ?? "off"],
      ["  coap", node.coap ?? undefined],
      ["  grpc", node.grpc ?? undefined],
      ["  links", node.links === null ? "only dials out" : node.links],
      ["  data", node.dataDir],
      ["  isolation", node.isolation],
    ]);
    return `Enoki ${node.version}, node ${node.name}, is ready\n${lines}`;
  });
  return `${shown.join("")}Next: enoki init python hello && enoki deploy hello\n`;
}

function toOption(setting: SettingDescription): Option {
  const { flag, value, description, shownDefault, isRepeatable } = setting;
  const ending = shownDefault === "" || value === undefined ? "" : ` (default: ${shownDefault})`;
  const flags = value === undefined ? flag : `${flag} <${value}>`;
  return isRepeatable
    ? repeatable(flags, description + ending)
    : new Option(flags, description + ending);
}

/** The name that commander gives the value of a flag. */
function attributeName(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
