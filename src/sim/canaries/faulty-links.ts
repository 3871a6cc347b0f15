import type { NodeName } from "../../core/ids.js";
import type { Links } from "../../ports/links.js";

/** Keeps updates that a link does not take until it does, however many they become. */
export function keepForLater(links: Links): Links {
  const kept = new Map<NodeName, Uint8Array[]>();
  const keptFor = (node: NodeName): Uint8Array[] => {
    const known = kept.get(node) ?? [];
    kept.set(node, known);
    return known;
  };
  return {
    ...links,
    send: (to, lane, payload) => {
      if (lane !== "update") return links.send(to, lane, payload);
      const waiting = keptFor(to);
      waiting.push(payload);
      while (waiting[0] && links.send(to, lane, waiting[0])) waiting.shift();
      return true;
    },
    backlogBytes: (to, lane) => {
      const waiting = lane === "update" ? keptFor(to) : [];
      const waitingBytes = waiting.reduce((sum, payload) => sum + payload.length, 0);
      return links.backlogBytes(to, lane) + waitingBytes;
    },
  };
}
