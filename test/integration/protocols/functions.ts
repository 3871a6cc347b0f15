import { deployFiles } from "../../helpers/node-calls.js";
import type { RunningNode } from "../../helpers/running-node.js";

/** Functions that clients of every protocol call. */
const FUNCTIONS = {
  echo: "export const call = (input) => input;",
  asked: `export const call = (input, { method, path, query, headers }) =>
    ({ input, method, path, query: String(query), headers: { ...headers } });`,
  large: "export const call = (size) => 'abcdefgh'.repeat(Number(size) / 8);",
  counted: `import { kv } from "enoki";
    export const call = async () => String(await kv.increment("calls"));`,
  slow: `export const call = (ms) => new Promise((done) => setTimeout(done, Number(ms), "done"));`,
  broken: "export const call = () => { throw new TypeError('no wheels'); };",
  teapot: `export default { fetch: () => new Response("short and stout", { status: 404 }) };`,
  bytes: "export const call = () => Uint8Array.of(255, 0, 1);",
} as const;

/** Deploys those functions, or some of them. Each has 3 s. */
export async function deployForClients(
  running: RunningNode,
  names = Object.keys(FUNCTIONS) as readonly (keyof typeof FUNCTIONS)[],
): Promise<void> {
  for (const name of names) {
    await deployFiles(running, name, { "index.mjs": FUNCTIONS[name] }, { timeout: "3s" });
  }
}
