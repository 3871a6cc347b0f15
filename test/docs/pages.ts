import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The top folder of the project. */
export const PROJECT_DIR = fileURLToPath(new URL("../..", import.meta.url));

/** Pages beside the docs folder; those that are not there are not listed. */
const TOP_PAGES = new Set(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]);

/** Paths of all pages, relative to the top folder. */
export async function listPages(): Promise<string[]> {
  const top = (await readdir(PROJECT_DIR)).filter((name) => TOP_PAGES.has(name));
  const docs = await readdir(join(PROJECT_DIR, "docs"), { recursive: true });
  return [...top, ...docs.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`)];
}

/** Text of one page. */
export async function readPage(path: string): Promise<string> {
  return readFile(join(PROJECT_DIR, path), "utf8");
}

/** A page without its fenced code blocks. */
export function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?\n\1\2[^\n]*$/gm, "");
}

/** The names under which the headings of a page can be linked to, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutCode(markdown).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "");
    const base = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
      .replaceAll(" ", "-");
    let anchor = base;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${base}-${n}`;
    anchors.add(anchor);
  }
  for (const [, id = ""] of markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** Targets of the links and images of a page. */
export function linksOf(markdown: string): string[] {
  const text = withoutCode(markdown).replaceAll(/`[^`\n]*`/g, "");
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const references = [...text.matchAll(/^\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm)];
  return [...inline, ...references].map(([, target]) => target as string);
}
