import type { NodeName } from "../../../src/core/ids.js";
import { openWebSocketLinks, type WebSocketLinks } from "../../../src/links/web-socket.js";
import { runLinksContract } from "../../../src/testing/links-contract.js";
import { linkOptions, openProxy, type Proxy } from "./node-links.js";

runLinksContract("WebSocket over mutual TLS", () => {
  const nodes = new Map<NodeName, WebSocketLinks>();
  const proxies = new Map<string, Promise<Proxy>>();
  return Promise.resolve({
    start: async (node) => {
      const links = await openWebSocketLinks(linkOptions(node));
      nodes.set(node, links);
      return links;
    },
    connect: (left, right) => {
      const proxy = openProxy(`127.0.0.1:${nodes.get(right)?.port}`);
      proxies.set(`${left} ${right}`, proxy);
      void proxy.then(({ address }) => nodes.get(left)?.setTarget(right, [address]));
    },
    cut: (left, right) => {
      nodes.get(left)?.removeTarget(right);
      void proxies.get(`${left} ${right}`)?.then((proxy) => proxy.cut());
    },
    cleanup: async () => {
      for (const proxy of proxies.values()) await (await proxy).close();
      for (const links of nodes.values()) await links.close();
    },
  });
});
