import type { HeartbeatChange } from "../../core/heartbeat-changes.js";
import type { NodeName } from "../../core/ids.js";
import { decodeMessage, encodeMessage } from "../../core/wire/messages.js";
import type { Links } from "../../ports/links.js";

/** Above: a message that begins so is a request, and names no keygroup. */
const KEYGROUP_BYTE_MAX = 64;

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

/** The same payload, but for what a heartbeat in it says. */
export function changeHeartbeat(
  payload: Uint8Array,
  change: (heartbeat: HeartbeatChange) => HeartbeatChange,
): Uint8Array {
  const nameEnd = 1 + (payload[0] as number);
  if (nameEnd > KEYGROUP_BYTE_MAX) return payload;
  const { generation, message } = decodeMessage(payload.subarray(nameEnd));
  if (message.type !== "heartbeat") return payload;
  const changed = encodeMessage(generation, { ...message, heartbeat: change(message.heartbeat) });
  return Uint8Array.of(...payload.subarray(0, nameEnd), ...changed);
}

/** Says of all others that what is known of them is as fresh as the heartbeat. */
export function withFreshRelays(heartbeat: HeartbeatChange): HeartbeatChange {
  const { echo, relayed } = heartbeat;
  return { ...heartbeat, relayed: relayed.map((one) => ({ ...one, echo: echo ?? one.echo })) };
}

/** Says nothing of others. */
export function withoutRelays(heartbeat: HeartbeatChange): HeartbeatChange {
  return { ...heartbeat, relayed: [] };
}
