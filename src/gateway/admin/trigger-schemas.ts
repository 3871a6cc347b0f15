import * as z from "zod";

/** What calls a function by itself, as a deploy says it. */
export const triggerSchema = z
  .strictObject({
    on: z.string().describe("keygroup:NAME/PREFIX, cron:SCHEDULE or mqtt://BROKER/TOPIC"),
    at: z
      .string()
      .optional()
      .describe("origin, every or one; else origin for keygroups, and one for all others"),
  })
  .meta({ id: "Trigger" });

/** The same as it is shown: without a password. */
export const shownTriggerSchema = z.strictObject({
  on: z.string(),
  at: z.enum(["origin", "every", "one"]),
});

/** A trigger that cannot call its function from the node that was asked, for now. */
export const failingTriggerSchema = z.strictObject({
  on: z.string(),
  code: z.string(),
  detail: z.string(),
});
