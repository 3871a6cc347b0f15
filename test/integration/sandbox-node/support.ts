import { readFileSync } from "node:fs";
import { join } from "node:path";

import { writeZip } from "../../../src/archive/zip-writer.js";
import type { FunctionConfig, FunctionInfo } from "../../../src/client/types.js";
import { probeSandbox } from "../../../src/runtimes/sandbox-probe.js";
import { send, type Answer } from "../../helpers/node-calls.js";
import type { ChildNode } from "../node/child-node.js";

const sandbox = await probeSandbox();

/** Why there is no sandbox on this machine, for the title of what is skipped; empty if there is. */
export const SANDBOX_MISSING =
  "missing" in sandbox ? `: ${sandbox.missing}; get it with \`npm run setup\`` : "";

/** The attack program of each language, and the name that a deploy finds it under. */
export const ATTACKERS = [
  { runtime: "python", program: "attack.py", entry: "fn.py" },
  { runtime: "node", program: "attack.mjs", entry: "index.mjs" },
  { runtime: "binary", program: "attack.sh", entry: "fn.sh" },
] as const;

export type Attacker = (typeof ATTACKERS)[number];

/** Deploys the files of a function on a node. */
export function deploy(
  node: ChildNode,
  name: string,
  files: Readonly<Record<string, string>>,
  config: FunctionConfig,
): Promise<FunctionInfo> {
  const members = Object.entries(files).map(([path, text]) => ({
    path,
    data: Buffer.from(text),
    executable: path.endsWith(".sh"),
  }));
  return node.client.functions.deploy(name, writeZip(members), config);
}

/** Deploys the attack program of a language. */
export function deployAttack(
  node: ChildNode,
  name: string,
  { program, entry }: Attacker,
  config: FunctionConfig,
): Promise<FunctionInfo> {
  const path = join(import.meta.dirname, "../isolation/attacks", program);
  return deploy(node, name, { [entry]: readFileSync(path, "utf8") }, config);
}

/** Lets a deployed attack program try one thing. */
export function attack(node: ChildNode, name: string, what: string): Promise<Answer> {
  const headers = { "content-type": "text/plain" };
  return send(node.functionsUrl, `/${name}`, { method: "POST", headers, body: what });
}
