import type { Block, Table } from "./blocks.js";
import { escapeXml } from "./plot/text.js";

const STYLE = `
body { font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 1200px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 28px; line-height: 1.2; } h2 { font-size: 22px; margin-top: 48px; }
h3 { font-size: 17px; margin-top: 28px; }
nav a { margin-right: 14px; white-space: nowrap; }
.table { overflow-x: auto; margin: 16px 0; }
table { border-collapse: collapse; font-size: 14px; line-height: 1.4; }
th, td { border-bottom: 1px solid #dcdcdc; padding: 6px 10px; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #1a1a1a; } td.number, th.number { text-align: right; white-space: nowrap; }
td.no { font-weight: 600; color: #9b2f1f; }
code { font-size: 0.92em; background: #f3f3f3; padding: 1px 4px; border-radius: 3px; }
figure { margin: 20px 0; } figure svg { max-width: 100%; height: auto; }
figcaption { font-size: 14px; color: #444; max-width: 760px; }
`;
/** Cells that say that something is not as it should be. */
const NO = new Set(["DOES NOT HOLD", "MISSES"]);

/** The report as one page that needs no network. */
export function htmlOf(blocks: readonly Block[], title: string): string {
  const links = blocks.flatMap((block) =>
    block.kind === "heading" && block.level === 2
      ? [`<a href="#${anchorOf(block.text)}">${inline(block.text)}</a>`]
      : [],
  );
  const [first, ...rest] = blocks;
  return [
    "<!doctype html>",
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(title)}</title><style>${STYLE}</style></head><body>`,
    ...(first === undefined ? [] : [htmlBlock(first)]),
    `<nav>${links.join("\n")}</nav>`,
    ...rest.map(htmlBlock),
    "</body></html>",
    "",
  ].join("\n");
}

function htmlBlock(block: Block): string {
  switch (block.kind) {
    case "heading": {
      const tag = `h${block.level}`;
      return `<${tag} id="${anchorOf(block.text)}">${inline(block.text)}</${tag}>`;
    }
    case "text":
      return `<p>${inline(block.text)}</p>`;
    case "list":
      return `<ul>${block.items.map((item) => `<li>${inline(item)}</li>`).join("\n")}</ul>`;
    case "table":
      return htmlTable(block);
    case "plot":
      return `<figure id="${block.file}">${block.svg}<figcaption>${inline(block.caption)}</figcaption></figure>`;
  }
}

function htmlTable({ head, rows, texts = [] }: Table): string {
  const isNumber = head.map((name, at) => at > 0 && !texts.includes(name));
  const cell = (tag: "th" | "td", content: string, at: number): string => {
    const names = [isNumber[at] ? "number" : "", NO.has(content) ? "no" : ""].filter(Boolean);
    const attribute = names.length > 0 ? ` class="${names.join(" ")}"` : "";
    return `<${tag}${attribute}>${inline(content)}</${tag}>`;
  };
  const row = (tag: "th" | "td", cells: readonly string[]): string =>
    `<tr>${cells.map((content, at) => cell(tag, content, at)).join("")}</tr>`;
  return (
    `<div class="table"><table><thead>${row("th", head)}</thead>\n` +
    `<tbody>${rows.map((cells) => row("td", cells)).join("\n")}</tbody></table></div>`
  );
}

/** Text with its code marked, and with units that stay with their numbers. */
function inline(content: string): string {
  return escapeXml(content)
    .replaceAll(/(?<=\d) (?=(?:ms|MB\/s|Mb\/s|kB|MB|B|s|×|%)(?!\w))/g, "\u00A0")
    .replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}
