import { send, until, zipFiles } from "../../helpers/node-calls.js";
import type { ClusterNode } from "../../helpers/running-cluster.js";

/** `key=value` writes, `key` reads what the function's keygroup holds on its node. */
export const STORE_FILES = {
  "index.js": `import { kv } from "enoki";
export async function call(input) {
  const [key, value] = input.split("=");
  if (value === undefined) return (await kv.get(key)) ?? "missing";
  await kv.set(key, value);
  return "set";
}
`,
};

/** Deploys it as `store` on that node, and on those that `to` names. */
export async function deploy({ client }: ClusterNode, to?: string): Promise<void> {
  await client.functions.deploy("store", zipFiles(STORE_FILES), {}, to === undefined ? {} : { to });
}

/** Calls it on that node. */
export async function call({ functionsUrl }: ClusterNode, input: string): Promise<string> {
  const answer = await send(functionsUrl, "/store", { body: input });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.text;
}

/** Resolves once the node reads `value`. */
export async function reads(node: ClusterNode, key: string, value: string): Promise<void> {
  await until(`${key} at ${node.name}`, async () => (await call(node, key)) === value, 30_000);
}
