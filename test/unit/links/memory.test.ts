import { MemoryLinkHub } from "../../../src/links/memory.js";
import { runLinksContract } from "../../../src/testing/links-contract.js";

runLinksContract("memory", () => {
  const hub = new MemoryLinkHub();
  return Promise.resolve({
    start: (node) => Promise.resolve(hub.join(node)),
    connect: (left, right) => hub.connect(left, right),
    cut: (left, right) => hub.cut(left, right),
    cleanup: () => Promise.resolve(),
  });
});
