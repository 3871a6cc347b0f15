import { execFileSync } from "node:child_process";

/** The commit that is checked out, and whether the sources differ from it. */
export function commitOfNow(): { readonly name: string; readonly isChanged: boolean } {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  const isChanged = git("status", "--porcelain", "--", "src").length > 0;
  const hash = git("rev-parse", "--short=12", "HEAD");
  return { name: isChanged ? `${hash} with changes` : hash, isChanged };
}
