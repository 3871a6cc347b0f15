import { createHash } from "node:crypto";

import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";
import type { CallRequest } from "../../functions/call.js";
import type { OutboxEvent } from "../../functions/outbox/outbox-message.js";
import { passTrace } from "../../core/trace-context.js";
import type { SendOrigin } from "../../keygroups/asker.js";
import type { KeygroupTrigger } from "../trigger-book.js";
import { encodeChangeEvent, type ChangeEvent } from "./change-event.js";

/** What makes one event of a trigger's another call than all others. */
export interface ChangeCall {
  readonly trigger: KeygroupTrigger;
  readonly event: ChangeEvent;
  /** Whose write it was, if it is known. */
  readonly origin: SendOrigin | undefined;
  /** Events with the same one are handled in their order. */
  readonly order: string;
  /** Says on which node it is handled, where several handle it each for themselves; else `""`. */
  readonly place: string;
}

/** Characters of the names of events and orders: 192 bits. */
const NAME_CHARACTERS = 32;

/**
 * The call that a change makes: a POST of JSON, with an idempotency key that is the same wherever and
 * however often the same change is told. Below too many others it is refused with `ENOKI_TRIGGER_LOOP`.
 */
export function changeCall({ trigger, event, origin, order, place }: ChangeCall): OutboxEvent {
  const above = (origin?.depth ?? 0) + 1;
  const depth = Math.min(above, LIMITS.callDepthMax);
  return {
    function: trigger.function,
    request: requestOf(trigger, event, origin, place),
    from: undefined,
    depth,
    orderKey: nameOf(trigger.id, order),
    session: "",
    refused: above > LIMITS.callDepthMax ? loopOf(trigger, event) : undefined,
  };
}

function requestOf(
  trigger: KeygroupTrigger,
  event: ChangeEvent,
  origin: SendOrigin | undefined,
  place: string,
): CallRequest {
  const trace = origin ? passTrace(origin.headers, "") : "";
  return {
    method: "POST",
    path: "",
    query: "",
    contentType: "application/json",
    idempotencyKey: nameOf(trigger.id, event.key, event.version, place),
    headers: trace,
    body: encodeChangeEvent(event),
  };
}

function loopOf({ function: name, on }: KeygroupTrigger, { key }: ChangeEvent): EnokiError {
  const shown = JSON.stringify(key.slice(0, 63));
  const detail = `the write of ${shown} is the end of ${LIMITS.callDepthMax} calls that each made the next one: does ${name}, on ${on}, write what it listens to?`;
  return new EnokiError("ENOKI_TRIGGER_LOOP", detail);
}

function nameOf(...parts: readonly string[]): string {
  const name = createHash("sha256").update(parts.join("\0")).digest("base64url");
  return name.slice(0, NAME_CHARACTERS);
}
