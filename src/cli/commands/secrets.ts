import type { Command } from "commander";

import type { FunctionInfo } from "../../client/types.js";
import { addNodeCommand, addCommand, onNode, type Cli, type NodeContext } from "../command.js";
import { write } from "../io.js";
import { requireReady, waitForNodes } from "../node-rows.js";
import { jsonLine, table } from "../output.js";
import { readSecrets } from "../secret-values.js";
import { addKeyFileCommands } from "./secret-keys.js";

interface WaitOptions {
  readonly wait?: string;
}

const WAIT = ["--wait <duration>", "how long to wait for the other nodes, such as 30s"] as const;

/** `enoki secrets set|ls|rm|reseal|init|rotate` */
export function addSecretsCommand(program: Command, cli: Cli): void {
  const secrets = addCommand(program, {
    usage: "secrets",
    description: "give functions secrets as variables, sealed wherever they are stored",
    examples: ["enoki secrets set report API_KEY=@key.txt"],
  });
  addSet(secrets, cli);
  addList(secrets, cli);
  addRemove(secrets, cli);
  addReseal(secrets, cli);
  addKeyFileCommands(secrets, cli);
}

function addSet(secrets: Command, cli: Cli): void {
  addNodeCommand(secrets, {
    usage: "set <name> <secrets...>",
    description: "set secrets of a function: its next revision has them, with the same code",
    examples: [
      "enoki secrets set report API_KEY=@key.txt",
      "printenv KEY | enoki secrets set report API_KEY=-",
      "enoki secrets set report API_KEY DB_PASSWORD",
    ],
  })
    .option(...WAIT)
    .action(
      onNode<WaitOptions, [string, string[]]>(cli, async (context, name, given) => {
        const values = await readSecrets(context.io, given);
        const info = await context.client.secrets.change(name, values);
        await tell(context, info, `set ${Object.keys(values).join(", ")}`);
      }),
    );
}

function addList(secrets: Command, cli: Cli): void {
  addNodeCommand(secrets, {
    usage: "ls <name>",
    description: "list the secrets of a function, without their values",
    examples: ["enoki secrets ls report"],
  }).action(
    onNode(cli, async ({ client, io, json }, name: string) => {
      const all = await client.secrets.list(name);
      if (json) return write(io.stdout, jsonLine(all));
      const rows = all.map((secret) => [secret.name, "sealed", secret.key ?? "unknown"]);
      if (rows.length === 0) {
        await write(io.stderr, `no secrets yet; \`enoki secrets set ${name} NAME=-\` sets one\n`);
      }
      await write(io.stdout, table(["NAME", "VALUE", "KEY"], rows));
    }),
  );
}

function addRemove(secrets: Command, cli: Cli): void {
  addNodeCommand(secrets, {
    usage: "rm <name> <secrets...>",
    description: "take secrets away from a function: its next revision is without them",
    examples: ["enoki secrets rm report API_KEY"],
  })
    .option(...WAIT)
    .action(
      onNode<WaitOptions, [string, string[]]>(cli, async (context, name, gone) => {
        const changes = Object.fromEntries(gone.map((secret) => [secret, null]));
        const info = await context.client.secrets.change(name, changes);
        await tell(context, info, `removed ${gone.join(", ")}`);
      }),
    );
}

function addReseal(secrets: Command, cli: Cli): void {
  addNodeCommand(secrets, {
    usage: "reseal <name>",
    description: "seal all secrets of a function with the first key of the node's key file",
    examples: ["enoki secrets reseal report"],
  })
    .option(...WAIT)
    .action(
      onNode<WaitOptions>(cli, async (context, name: string) => {
        const info = await context.client.secrets.reseal(name);
        await tell(context, info, "sealed with the first key");
      }),
    );
}

/** Says what was done, once all nodes are ready if that was asked for. */
async function tell(
  { client, io, json, options }: NodeContext<WaitOptions>,
  changed: FunctionInfo,
  what: string,
): Promise<void> {
  const info = await waitForNodes(client, io, changed, options.wait);
  const { name, revision } = info;
  await write(io.stdout, json ? jsonLine(info) : `${what}: revision ${revision} of ${name}\n`);
  requireReady(info);
}
