import { hlcFromMs, type Hlc } from "../../core/hlc.js";
import { LIMITS } from "../../core/limits.js";
import type { KeygroupMessage } from "../../core/wire/messages.js";

/**
 * True for a message with a time so far ahead of this node's clock that it must not move time here:
 * whatever it touched would expire at once, for good, and on every node that hears of it. A link is only
 * there while the clocks of both ends agree, so its sender's clock was wrong before, or it made that up.
 */
export function isFromTheFuture(message: KeygroupMessage, nowMs: number): boolean {
  return latestHlc(message) > hlcFromMs(nowMs + LIMITS.timeAheadMs);
}

/** The greatest hybrid time that a message brings; 0 if it brings none. */
function latestHlc(message: KeygroupMessage): Hlc {
  let latest: Hlc = 0;
  switch (message.type) {
    case "heartbeat":
      return message.heartbeat.hlc;
    case "updates":
      for (const { hlc } of message.updates) latest = Math.max(latest, hlc);
      return latest;
    case "chunk":
      latest = message.chunk.end?.hlc ?? 0;
      for (const { live } of message.chunk.records) {
        for (const { version } of live) latest = Math.max(latest, version?.hlc ?? 0);
      }
      return latest;
    default:
      return latest;
  }
}
