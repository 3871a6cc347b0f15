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
    description: "list all nodes that are known to the one that answers, which has a *",
    examples: ["enoki nodes ls"],
  }).action(
    onNode(cli, async ({ client, io, json }) => {
      const nodes = await client.nodes();
      if (json) return write(io.stdout, jsonLine(nodes));
      const rows = nodes.map((node) => [
        node.self ? `${node.name} *` : node.name,
        node.state,
        node.version,
        node.platform,
        node.storage,
        listOf(Object.entries(node.labels).map(([name, value]) => `${name}=${value}`)),
        node.links[0] ?? "-",
        listOf(node.functions),
        listOf(node.keygroups),
      ]);
      const headings = ["NAME", "STATE", "VERSION", "PLATFORM", "STORAGE", "LABELS", "LINKS"];
      headings.push("FUNCTIONS", "KEYGROUPS");
      await write(io.stdout, table(headings, rows));
    }),
  );
}

function listOf(words: readonly string[]): string {
  return words.length === 0 ? "-" : words.join(",");
}
