import { EnokiError } from "../core/errors.js";
import { parseKeygroupName, type KeygroupName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { TriggerPlace, TriggerSetting } from "../functions/types.js";
import { parseCronExpression } from "./cron/cron-expression.js";
import { parseMqttAddress, showMqttAddress } from "./mqtt/mqtt-address.js";

/** What calls a function by itself. */
export type TriggerCause =
  /** A change of a key that begins with `prefix`. */
  | { readonly kind: "keygroup"; readonly keygroup: KeygroupName; readonly prefix: string }
  /** A time; `schedule` has five fields, parted by one space, and its zone before them if it is not UTC. */
  | { readonly kind: "cron"; readonly schedule: string }
  /**
   * A message; `address` is all of it, perhaps with a password: see {@link showCause}. `secret` names the
   * function's secret that is the password.
   */
  | { readonly kind: "mqtt"; readonly address: string; readonly secret?: string };

/** A trigger, checked: what calls the function, and on which nodes. */
export interface Trigger {
  readonly cause: TriggerCause;
  readonly at: TriggerPlace;
}

const PLACES: readonly TriggerPlace[] = ["origin", "every", "one"];
const FORMS = "keygroup:NAME/PREFIX, cron:SCHEDULE or mqtt://BROKER/TOPIC";

/**
 * Reads one trigger; without `at` it is `origin` for a keygroup and `one` for everything else.
 * @throws EnokiError `ENOKI_INVALID_TRIGGER`
 */
export function parseTrigger(on: string, at?: string): Trigger {
  const cause = parseCause(on);
  const place = at ?? (cause.kind === "keygroup" ? "origin" : "one");
  const known = PLACES.find((one) => one === place);
  if (known === undefined) {
    throw invalid(on, `there is no --at ${place}: use origin, every or one`);
  }
  if (known === "origin" && cause.kind !== "keygroup") {
    throw invalid(on, "--at origin goes with keygroups only: use one or every");
  }
  return { cause, at: known };
}

/** What {@link parseTrigger} reads as the same trigger, in one way of writing it. */
export function formatTrigger({ cause, at }: Trigger): TriggerSetting {
  return { on: formatCause(cause), at };
}

/**
 * Reads the triggers of a function into the form in which they are kept.
 * @throws EnokiError `ENOKI_INVALID_TRIGGER` also for too many, or for one that is there twice
 */
export function parseTriggers(
  given: readonly { readonly on: string; readonly at?: string | undefined }[],
): TriggerSetting[] {
  if (given.length > LIMITS.triggersPerFunctionMax) {
    const detail = `a function has at most ${LIMITS.triggersPerFunctionMax} triggers`;
    throw new EnokiError("ENOKI_INVALID_TRIGGER", detail);
  }
  const settings = given.map(({ on, at }) => formatTrigger(parseTrigger(on, at)));
  for (const [index, { on }] of settings.entries()) {
    const isTwice = settings.findIndex((other) => showCause(other.on) === showCause(on)) !== index;
    if (isTwice) throw invalid(on, "the function has it twice");
  }
  return settings;
}

/** A trigger's `on` as it may be shown: without a password. */
export function showCause(on: string): string {
  return showMqttAddress(on);
}

function parseCause(on: string): TriggerCause {
  if (on.startsWith("keygroup:")) return parseKeygroup(on);
  if (on.startsWith("cron:")) return parseCron(on);
  if (/^mqtts?:/.test(on)) return parseMqtt(on);
  throw invalid(on, `a trigger is ${FORMS}`);
}

function parseKeygroup(on: string): TriggerCause {
  const { head, rest } = cut(on.slice("keygroup:".length));
  const isTooLong = Buffer.byteLength(rest) > LIMITS.keySizeBytesMax;
  if (isTooLong || !rest.isWellFormed()) {
    throw invalid(on, `a prefix has at most ${LIMITS.keySizeBytesMax} bytes of UTF-8`);
  }
  const keygroup = naming(on, () => parseKeygroupName(head));
  return { kind: "keygroup", keygroup, prefix: rest };
}

function parseCron(on: string): TriggerCause {
  const { text } = naming(on, () => parseCronExpression(on.slice("cron:".length)));
  return { kind: "cron", schedule: text };
}

function parseMqtt(on: string): TriggerCause {
  const { passwordSecret } = naming(on, () => parseMqttAddress(on));
  return {
    kind: "mqtt",
    address: on,
    ...(passwordSecret !== undefined && { secret: passwordSecret }),
  };
}

/** What `parse` gives; what it refuses is told with the trigger that it belongs to. */
function naming<T>(on: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw invalid(on, (error as Error).message);
  }
}

function formatCause(cause: TriggerCause): string {
  switch (cause.kind) {
    case "keygroup":
      return `keygroup:${cause.keygroup}${cause.prefix === "" ? "" : `/${cause.prefix}`}`;
    case "cron":
      return `cron:${cause.schedule}`;
    case "mqtt":
      return cause.address;
  }
}

/** Up to the first slash, and behind it. */
function cut(text: string): { readonly head: string; readonly rest: string } {
  const at = text.indexOf("/");
  return at < 0 ? { head: text, rest: "" } : { head: text.slice(0, at), rest: text.slice(at + 1) };
}

function invalid(on: string, detail: string): EnokiError {
  const shown = showCause(on);
  const quoted = JSON.stringify(shown.slice(0, 100));
  return new EnokiError("ENOKI_INVALID_TRIGGER", `${quoted}: ${detail}`, { on: shown });
}
