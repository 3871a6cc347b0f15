import type { Command } from "commander";

import { addCommand, addNodeCommand, onNode, type Cli } from "../command.js";
import { write } from "../io.js";
import { jsonLine, table } from "../output.js";

/** `enoki nodes ls` */
export function addNodesCommand(program: Command, cli: Cli): void {
  const nodes = addCommand(program, {
    usage: "nodes",
    description: "list nodes",
    examples: ["enoki nodes ls"],
  });
  addNodeCommand(nodes, {
    usage: "ls",
    description: "list the nodes; in this release that is the one that answers",
    examples: ["enoki nodes ls"],
  }).action(
    onNode(cli, async ({ client, io, json }) => {
      const node = await client.node();
      if (json) return write(io.stdout, jsonLine([node]));
      const row = [
        node.name,
        node.version,
        node.addresses.functions ?? "off",
        node.addresses.admin ?? "off",
        node.isolation?.available.join(",") ?? "-",
        node.storage?.driver ?? "-",
      ];
      const headings = ["NAME", "VERSION", "FUNCTIONS", "ADMIN", "ISOLATION", "STORAGE"];
      await write(io.stdout, table(headings, [row]));
    }),
  );
}
