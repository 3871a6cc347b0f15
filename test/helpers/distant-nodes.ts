import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { MemoryNamingService } from "../../dist/naming/memory.js";
import { systemTimers } from "../../dist/ports/timers.js";
import type { EnokiNode } from "../../dist/node/node.js";
import type { NodeSettings } from "../../dist/node/node-settings.js";
import { connect } from "../../src/client/index.js";
import type { ClusterNode } from "./running-cluster.js";
import { PROCESS_ISOLATION, startNode } from "./running-node.js";
import { TcpProxy } from "./tcp-proxy.js";

/** A node whose links lead over a relay that may take time, and be cut. */
export interface DistantNode extends ClusterNode {
  readonly node: EnokiNode;
  /** The way to it; ways to others begin at theirs. */
  readonly proxy: TcpProxy;
}

/** Two of them: `edge` is where calls are made, `cloud` the other end of its link. */
export async function cloudAndEdge(): Promise<{
  readonly nodes: DistantNodes;
  readonly cloud: DistantNode;
  readonly edge: DistantNode;
}> {
  const nodes = await DistantNodes.open();
  try {
    return { nodes, cloud: await nodes.start("cloud"), edge: await nodes.start("edge") };
  } catch (error) {
    await nodes.remove();
    throw error;
  }
}

/** Nodes in this process on one naming service in memory, over real sockets and relays. */
export class DistantNodes {
  readonly #service = new MemoryNamingService({ timers: systemTimers });
  readonly #nodes: DistantNode[] = [];
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async open(): Promise<DistantNodes> {
    return new DistantNodes(await mkdtemp(join(tmpdir(), "enoki-distant-")));
  }

  /**
   * Starts a node that others reach over a relay which delays each piece in either direction; with
   * `onlyDials` nobody reaches it, so that all its links go over the others' relays.
   */
  async start(
    name: string,
    delayMs = 0,
    settings: Partial<NodeSettings> & { readonly onlyDials?: boolean } = {},
  ): Promise<DistantNode> {
    const { onlyDials = false, ...others } = settings;
    let node: EnokiNode | undefined;
    const proxy = await new TcpProxy(() => node?.cluster?.links.port ?? 0).listen();
    proxy.delayMs = delayMs;
    const started = await startNode({
      ...PROCESS_ISOLATION,
      ...others,
      name,
      dataDir: join(this.#dir, name),
      cluster: {
        connectNaming: () => this.#service.connect(),
        listen: onlyDials ? undefined : { host: "127.0.0.1", port: 0 },
        advertise: `127.0.0.1:${proxy.port}`,
        credentials: undefined,
      },
    });
    node = started.node;
    const { functionsUrl, adminUrl } = started;
    const client = connect(adminUrl);
    const distant = { name, node, proxy, client, functionsUrl, adminUrl };
    this.#nodes.push(distant);
    return distant;
  }

  /** Makes every link longer, or cuts it. */
  each(change: (proxy: TcpProxy) => void): void {
    for (const { proxy } of this.#nodes) change(proxy);
  }

  async remove(): Promise<void> {
    await Promise.all(this.#nodes.map(({ node }) => node.close()));
    await Promise.all(this.#nodes.map(({ proxy }) => proxy.close()));
    await rm(this.#dir, { recursive: true, force: true });
  }
}
