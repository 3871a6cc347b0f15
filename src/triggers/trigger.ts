import { EnokiError } from "../core/errors.js";
import { parseKeygroupName, type KeygroupName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { TriggerPlace, TriggerSetting } from "../functions/types.js";

/** What calls a function by itself. */
export type TriggerCause =
  /** A change of a key that begins with `prefix`. */
  | { readonly kind: "keygroup"; readonly keygroup: KeygroupName; readonly prefix: string }
  /** A time; `schedule` has five fields, parted by one space. */
  | { readonly kind: "cron"; readonly schedule: string }
  /** A message; `broker` is `HOST` or `HOST:PORT`, `topic` a topic filter. */
  | { readonly kind: "mqtt"; readonly broker: string; readonly topic: string };

/** A trigger, checked: what calls the function, and on which nodes. */
export interface Trigger {
  readonly cause: TriggerCause;
  readonly at: TriggerPlace;
}

const PLACES: readonly TriggerPlace[] = ["origin", "every", "one"];
const CRON_FIELDS = 5;
const BROKER = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/;
const PORT_MAX = 65_535;
const TOPIC_BYTES_MAX = 65_535;
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
    const isTwice = settings.findIndex((other) => other.on === on) !== index;
    if (isTwice) throw invalid(on, "the function has it twice");
  }
  return settings;
}

function parseCause(on: string): TriggerCause {
  if (on.startsWith("keygroup:")) return parseKeygroup(on);
  if (on.startsWith("cron:")) return parseCron(on);
  if (on.startsWith("mqtt://")) return parseMqtt(on);
  throw invalid(on, `a trigger is ${FORMS}`);
}

function parseKeygroup(on: string): TriggerCause {
  const { head, rest } = cut(on.slice("keygroup:".length));
  const isTooLong = Buffer.byteLength(rest) > LIMITS.keySizeBytesMax;
  if (isTooLong || !rest.isWellFormed()) {
    throw invalid(on, `a prefix has at most ${LIMITS.keySizeBytesMax} bytes of UTF-8`);
  }
  try {
    return { kind: "keygroup", keygroup: parseKeygroupName(head), prefix: rest };
  } catch (error) {
    throw invalid(on, (error as Error).message);
  }
}

function parseCron(on: string): TriggerCause {
  const fields = on.slice("cron:".length).trim().split(/\s+/);
  if (fields.length === CRON_FIELDS) return { kind: "cron", schedule: fields.join(" ") };
  const detail = `a schedule has ${CRON_FIELDS} fields (minute hour day month weekday), as in "cron:*/5 * * * *"`;
  throw invalid(on, detail);
}

function parseMqtt(on: string): TriggerCause {
  const { head: broker, rest: topic } = cut(on.slice("mqtt://".length));
  const [isHost, port] = BROKER.exec(broker) ?? [];
  if (isHost === undefined || Number(port ?? 1) > PORT_MAX || Number(port ?? 1) === 0) {
    throw invalid(on, "the broker is HOST or HOST:PORT, and nothing else");
  }
  if (topic === "") throw invalid(on, "the topic is missing: mqtt://BROKER/TOPIC");
  const levels = topic.split("/");
  const isFilter = levels.every(
    (level, index) =>
      !/[#+]/.test(level) || level === "+" || (level === "#" && index === levels.length - 1),
  );
  const isText = topic.isWellFormed() && !topic.includes("\0");
  if (!isFilter || !isText || Buffer.byteLength(topic) > TOPIC_BYTES_MAX) {
    throw invalid(on, "it is no topic filter: + stands for one level, and # for all at the end");
  }
  return { kind: "mqtt", broker, topic };
}

function formatCause(cause: TriggerCause): string {
  switch (cause.kind) {
    case "keygroup":
      return `keygroup:${cause.keygroup}${cause.prefix === "" ? "" : `/${cause.prefix}`}`;
    case "cron":
      return `cron:${cause.schedule}`;
    case "mqtt":
      return `mqtt://${cause.broker}/${cause.topic}`;
  }
}

/** Up to the first slash, and behind it. */
function cut(text: string): { readonly head: string; readonly rest: string } {
  const at = text.indexOf("/");
  return at < 0 ? { head: text, rest: "" } : { head: text.slice(0, at), rest: text.slice(at + 1) };
}

function invalid(on: string, detail: string): EnokiError {
  const shown = JSON.stringify(on.slice(0, 100));
  return new EnokiError("ENOKI_INVALID_TRIGGER", `${shown}: ${detail}`, { on });
}
