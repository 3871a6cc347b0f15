import * as z from "zod";

import { parseDurationMs } from "../base/duration.js";
import { parseSizeBytes } from "../base/size.js";
import { LIMITS } from "../core/limits.js";

/** Longer durations only make dates that no calendar holds. */
const DURATION_MS_MAX = 36_500 * 86_400_000;

/** A duration such as `5s`, read as milliseconds, at least 1. A bare number is refused. */
export const durationField = durationUpTo(DURATION_MS_MAX, "36500d").describe(
  "A duration with its unit: 200ms, 5s, 10m, 2h, 7d",
);

/** A {@link durationField} that a timer waits for: Node's own end after 24.8 days at once. */
export const timerField = durationUpTo(LIMITS.longestWaitMs, "24h").describe(
  "A duration with its unit, at most 24h: 200ms, 5s, 10m, 2h",
);

function durationUpTo(durationMsMax: number, shownMax: string) {
  return z
    .string({ error: "expected a duration with a unit, such as 200ms, 5s, 10m, 2h or 7d" })
    .transform((text, context) => {
      const durationMs = parseDurationMs(text);
      if (durationMs !== undefined && durationMs > 0 && durationMs <= durationMsMax) {
        return durationMs;
      }
      context.addIssue({
        code: "custom",
        message:
          durationMs === undefined
            ? `${JSON.stringify(text.slice(0, 40))} is no duration: use a unit, such as 200ms, 5s, 10m, 2h or 7d`
            : `a duration here lies between 1ms and ${shownMax}`,
      });
      return z.NEVER;
    });
}

/** A size such as `128m`, `1g` or a number of bytes, read as bytes. */
export const sizeField = z
  .union([z.string(), z.number()], {
    error: "expected a size such as 128m, 1g or a number of bytes",
  })
  .transform((size, context) => {
    const sizeBytes = parseSizeBytes(String(size));
    if (sizeBytes !== undefined && sizeBytes > 0 && Number.isSafeInteger(sizeBytes)) {
      return sizeBytes;
    }
    context.addIssue({
      code: "custom",
      message: `${JSON.stringify(size)} is no size: use 128m, 1g or a number of bytes`,
    });
    return z.NEVER;
  })
  .describe("A size: 128m, 1g, or bytes");

/** A number of CPUs, fractions allowed; 0 = no limit. */
export const cpusField = z
  .union([z.string(), z.number()], { error: 'expected a number of CPUs such as "0.5"' })
  .transform((cpus, context) => {
    if (/^\d{1,4}(?:\.\d{1,3})?$/.test(String(cpus))) return Number(cpus);
    context.addIssue({
      code: "custom",
      message: `${JSON.stringify(cpus)} is no number of CPUs: use 1, 0.5 …, or 0 for no limit`,
    });
    return z.NEVER;
  })
  .describe('A number of CPUs such as "0.5"; "0" = no limit');

/** The name of an application: what names of functions are made of. */
export const applicationField = z
  .string({ error: "expected a name" })
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/,
    "a name has letters, digits and inner hyphens, at most 63",
  )
  .describe("A name: letters, digits and inner hyphens, at most 63");

/** A whole number in the text of a query. */
export function integerField(minimum: number, maximum: number): z.ZodType<number, string> {
  return z
    .string()
    .transform((text, context) => {
      const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (number >= minimum && number <= maximum) return number;
      context.addIssue({
        code: "custom",
        message: `expected a whole number from ${minimum} to ${maximum}`,
      });
      return z.NEVER;
    })
    .describe(`A whole number from ${minimum} to ${maximum}`);
}

/** `true` or `false` in the text of a query. */
export const flagField = z.enum(["true", "false"]).transform((text) => text === "true");
