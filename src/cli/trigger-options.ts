import { Option } from "commander";

import type { TriggerSetting } from "../client/types.js";
import { EnokiError } from "../core/errors.js";

/** The word for `--on` that stands for no trigger at all. */
const NONE = "none";

/**
 * The flags `--on`, which may be repeated, and `--at`, which belongs to the `--on` before it. The first
 * one's value is all triggers that were said; `--on none` says that there are none.
 */
export function triggerOptions(): { readonly on: Option; readonly at: Option } {
  let triggers: TriggerSetting[] = [];
  const on = new Option(
    "--on <trigger>",
    "keygroup:NAME/PREFIX, cron:SCHEDULE, mqtt://BROKER/TOPIC or none; repeatable",
  ).argParser((text): TriggerSetting[] => {
    triggers = text === NONE ? [] : [...triggers, { on: text }];
    return triggers;
  });
  const at = new Option(
    "--at <place>",
    "where the --on before it is taken up: origin, every or one",
  ).argParser((place): string => {
    const last = triggers.at(-1);
    if (last === undefined || last.at !== undefined) {
      throw new EnokiError("ENOKI_INVALID_INPUT", `--at ${place}: it goes behind an --on`);
    }
    // The same list, which is the value of --on.
    triggers[triggers.length - 1] = { ...last, at: place };
    return place;
  });
  return { on, at };
}
