import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import { RIGHTS, type Right } from "../../core/rights.js";
import type { GrantInfo } from "../../client/types.js";
import { addNodeCommand, onNode, type Cli } from "../command.js";
import { write, type Io } from "../io.js";
import { jsonLine, table } from "../output.js";

interface GrantOptions {
  readonly to: string;
  readonly rights: string;
}

/** `enoki keygroups grant|revoke` */
export function addGrantCommands(keygroups: Command, cli: Cli): void {
  addNodeCommand(keygroups, {
    usage: "grant <keygroup>",
    description: "let a function or the bearer of a token use a keygroup that is not its own",
    examples: [
      "enoki keygroups grant weather --to function:alarm --rights read",
      "enoki keygroups grant weather --to token:station --rights read,write",
    ],
  })
    .requiredOption("--to <who>", "function:NAME or token:NAME")
    .requiredOption("--rights <rights>", `with commas: ${RIGHTS.join(", ")}`)
    .action(
      onNode<GrantOptions>(cli, async ({ client, io, json, options }, name: string) => {
        const rights = options.rights.split(",").map((right) => rightOf(right.trim()));
        await print(io, json, await client.keygroups.grant(name, options.to, rights));
      }),
    );
  addNodeCommand(keygroups, {
    usage: "revoke <keygroup>",
    description: "take all rights on a keygroup from a function or a token",
    examples: ["enoki keygroups revoke weather --to function:alarm"],
  })
    .requiredOption("--to <who>", "function:NAME or token:NAME")
    .action(
      onNode<GrantOptions>(cli, async ({ client, io, json, options }, name: string) => {
        await print(io, json, await client.keygroups.revoke(name, options.to));
      }),
    );
}

function rightOf(text: string): Right {
  const right = RIGHTS.find((known) => known === text);
  if (right) return right;
  const detail = `--rights: ${JSON.stringify(text)} is none of ${RIGHTS.join(", ")}`;
  throw new EnokiError("ENOKI_INVALID_INPUT", detail);
}

async function print(io: Io, json: boolean, grants: readonly GrantInfo[]): Promise<void> {
  if (json) return write(io.stdout, jsonLine(grants));
  const rows = grants.map(({ to, rights }) => [to, rights.join(",")]);
  await write(io.stdout, rows.length === 0 ? "no grants\n" : table(["TO", "RIGHTS"], rows));
}
