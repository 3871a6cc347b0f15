import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { PROJECT_DIR, readPage } from "./pages.js";

const page = await readPage("ARCHITECTURE.md");
const [, guarantees = ""] = /^## Guarantees\n([\s\S]*?)^## /m.exec(page) ?? [];
const rows = [...guarantees.matchAll(/^\| (.+) \| (.+) \| (.+) \|$/gm)]
  .map(([, what, , proof]) => ({ what: what as string, proof: proof as string }))
  .slice(1);

/** True for a file that there is, and for a folder that holds tests. */
function isProof(path: string): boolean {
  const full = join(PROJECT_DIR, path);
  if (!existsSync(full)) return false;
  if (!statSync(full).isDirectory()) return path.endsWith(".test.ts") || path.startsWith("docs/");
  return readdirSync(full, { recursive: true }).some((name) => String(name).endsWith(".test.ts"));
}

test("there are guarantees, and none stands there twice", () => {
  expect(rows.length).toBeGreaterThan(10);
  expect(new Set(rows.map(({ what }) => what)).size).toBe(rows.length);
});

test.each(rows)("the proof of $what exists: $proof", ({ proof }) => {
  const paths = [...proof.matchAll(/`([^`]+)`/g)].map(([, path]) => path as string);
  expect(paths).not.toEqual([]);
  expect(paths.filter((path) => !isProof(path))).toEqual([]);
});

test("every folder of src has its place in the picture", () => {
  const [, parts = ""] = /^## Parts\n([\s\S]*?)^## /m.exec(page) ?? [];
  const folders = readdirSync(join(PROJECT_DIR, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => readdirSync(join(PROJECT_DIR, "src", name)).length > 0);
  expect(folders.filter((name) => !new RegExp(`\\b${name}\\b`).test(parts))).toEqual([]);
});

test("every file and folder that the page names exists", () => {
  const named = [
    ...page.matchAll(/`((?:src|docs|test|guest|core|keygroups|functions|gateway)\/[\w./-]+)`/g),
  ];
  const missing = named
    .map(([, path]) => path as string)
    .filter((path) => !existsSync(join(PROJECT_DIR, path)))
    .filter((path) => !existsSync(join(PROJECT_DIR, "src", path)));
  expect(missing).toEqual([]);
});
