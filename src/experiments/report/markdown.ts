import type { Block, Table } from "./blocks.js";

/** The report as Markdown; its plots are files in the same folder. */
export function markdownOf(blocks: readonly Block[]): string {
  return `${blocks.map(markdownBlock).join("\n\n")}\n`;
}

function markdownBlock(block: Block): string {
  switch (block.kind) {
    case "heading":
      return `${"#".repeat(block.level)} ${block.text}`;
    case "text":
      return block.text;
    case "list":
      return block.items.map((item) => `- ${item}`).join("\n");
    case "table":
      return markdownTable(block);
    case "plot":
      return `![${block.caption.split(": ", 1)[0] ?? ""}](${block.file}.svg)\n\n${block.caption}`;
  }
}

function markdownTable({ head, rows, texts = [] }: Table): string {
  const rule = head.map((name, at) => (at === 0 || texts.includes(name) ? "---" : "---:"));
  return [head, rule, ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}
