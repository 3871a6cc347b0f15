import { deploy, type Deployment } from "../../bench/deployment.js";
import { startEtcd } from "../../bench/etcd.js";
import { functionFolder, startNode, type BenchNode } from "../../bench/servers.js";
import type { Surroundings } from "../contender.js";
import type { LagRound } from "../results.js";
import { startClient, type Pair } from "./pair.js";

const LAG: Deployment = {
  name: "lag",
  folder: functionFolder("bench/functions/lag-js"),
  nodes: ["a", "b"],
  data: "replicate",
  config: { timeout: "5m" },
};
/** The client's own library, as users import it. */
const LIBRARY = new URL("../../client/index.js", import.meta.url).href;

/** Two nodes as `enoki up` starts them, with a function and a replica of its keygroup on both. */
interface Nodes {
  readonly a: BenchNode;
  readonly b: BenchNode;
}

/** One instance of a function writes at its node, another one watches at the other, both through `kv`. */
export async function startEnokiFunctions(surroundings: Surroundings): Promise<Pair> {
  const { a, b } = await startNodes(surroundings);
  return {
    async measure(count) {
      const call = ({ client }: BenchNode, role: string) => client.call(LAG.name, { role, count });
      const [written] = await Promise.all([call(a, "write"), call(b, "watch")]);
      return written.json<LagRound>();
    },
  };
}

/** One client writes at one node and watches at the other, over HTTP. */
export async function startEnokiClient(surroundings: Surroundings): Promise<Pair> {
  const { a, b } = await startNodes(surroundings);
  return await startClient(surroundings, "enoki", [a.client.url, b.client.url, LIBRARY]);
}

async function startNodes({ resources }: Surroundings): Promise<Nodes> {
  const naming = await startEtcd(resources);
  const start = async (name: string): Promise<BenchNode> => {
    const flags = ["--name", name, "--naming", naming, "--link-port", "0"];
    return await startNode(resources, { flags });
  };
  const [a, b] = [await start("a"), await start("b")];
  await deploy(a.client, LAG);
  return { a, b };
}
