import type { Command } from "commander";

import { formatSizeBytes } from "../../base/size.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupInfo, KeygroupSettings } from "../../client/types.js";
import { addCommand, addNodeCommand, onNode, type Cli } from "../command.js";
import { write, type Io } from "../io.js";
import { keygroupText } from "../keygroup-text.js";
import { jsonLine, table } from "../output.js";
import { addGrantCommands } from "./keygroup-grants.js";
import { addReplicaCommands } from "./keygroup-replicas.js";

interface SettingsOptions {
  readonly durability?: string;
  readonly ttl?: string;
  readonly policy?: string;
}

interface CreateOptions extends SettingsOptions {
  readonly data?: string;
}

/** `enoki keygroups ls|describe|create|configure|rm`, and what is about replicas */
export function addKeygroupsCommand(program: Command, cli: Cli): void {
  const keygroups = addCommand(program, {
    usage: "keygroups",
    description: "list, show, make, change and remove keygroups",
    examples: ["enoki keygroups ls"],
  });
  addList(keygroups, cli);
  addNodeCommand(keygroups, {
    usage: "describe <keygroup>",
    description: "show a keygroup, and how it is doing on each of its members",
    examples: ["enoki keygroups describe hello"],
  }).action(
    onNode(cli, async ({ client, io, json }, name: string) => {
      await print(io, json, await client.keygroups.get(name));
    }),
  );
  addCreate(keygroups, cli);
  addConfigure(keygroups, cli);
  addReplicaCommands(keygroups, cli);
  addGrantCommands(keygroups, cli);
  addNodeCommand(keygroups, {
    usage: "rm <keygroup>",
    description: "remove a keygroup with all its data",
    examples: ["enoki keygroups rm old-readings"],
  }).action(
    onNode(cli, async ({ client, io, json }, name: string) => {
      await client.keygroups.remove(name);
      await write(io.stdout, json ? jsonLine({ removed: name }) : `removed ${name}\n`);
    }),
  );
}

function addList(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "ls",
    description: "list all keygroups",
    examples: ["enoki keygroups ls"],
  }).action(
    onNode(cli, async ({ client, io, json }) => {
      const all = await client.keygroups.list();
      if (json) return write(io.stdout, jsonLine(all));
      const rows = all.map((keygroup) => [
        keygroup.name,
        keygroup.policy,
        keygroup.durability,
        keygroup.ttl ?? "-",
        String(keygroup.keys),
        formatSizeBytes(keygroup.sizeBytes),
        keygroup.members.join(","),
      ]);
      const headings = ["NAME", "POLICY", "DURABILITY", "TTL", "KEYS", "SIZE", "MEMBERS"];
      await write(io.stdout, table(headings, rows));
    }),
  );
}

function addCreate(keygroups: Command, cli: Cli): void {
  const command = addNodeCommand(keygroups, {
    usage: "create <keygroup>",
    description: "make a keygroup",
    examples: ["enoki keygroups create readings --durability strict --ttl 7d"],
  });
  addSettings(command)
    .option("--data <placement>", "where its data are to lie: replicate, or at:NODE")
    .action(
      onNode<CreateOptions>(cli, async ({ client, io, json, options }, name: string) => {
        const { data } = options;
        const settings = { ...toSettings(options), ...(data === undefined ? {} : { data }) };
        await print(io, json, await client.keygroups.create(name, settings));
      }),
    );
}

function addConfigure(keygroups: Command, cli: Cli): void {
  const command = addNodeCommand(keygroups, {
    usage: "configure <keygroup>",
    description: "change what is named; the rest stays",
    examples: ["enoki keygroups configure readings --ttl none"],
  });
  addSettings(command).action(
    onNode<SettingsOptions>(cli, async ({ client, io, json, options }, name: string) => {
      const settings = toSettings(options);
      if (Object.keys(settings).length === 0) {
        throw new EnokiError("ENOKI_INVALID_INPUT", "say what to change, as in --ttl 7d");
      }
      await print(io, json, await client.keygroups.configure(name, settings));
    }),
  );
}

function addSettings(command: Command): Command {
  return command
    .option("--durability <level>", "relaxed, or strict: synced before it is acknowledged")
    .option("--ttl <duration>", "lifetime of values written without one, such as 7d; or none")
    .option("--policy <policy>", "concurrent writes: lww, siblings or merge");
}

/** The node checks the values; here only `none` gets its meaning. */
function toSettings({ durability, ttl, policy }: SettingsOptions): KeygroupSettings {
  const settings = {
    ...(durability === undefined ? {} : { durability }),
    ...(ttl === undefined ? {} : { ttl: ttl === "none" ? null : ttl }),
    ...(policy === undefined ? {} : { policy }),
  };
  return settings as KeygroupSettings;
}

async function print(io: Io, json: boolean, keygroup: KeygroupInfo): Promise<void> {
  await write(io.stdout, json ? jsonLine(keygroup) : keygroupText(keygroup, Date.now()));
}
