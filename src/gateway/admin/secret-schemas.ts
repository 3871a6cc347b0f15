import * as z from "zod";

/** What is shown of the secrets of a function. */
export const secretNamesSchema = z.array(z.string()).describe("The names of its secrets");

/** Secrets by their names; `null` = it goes. What is not named stays. */
export const secretChangesSchema = z
  .record(z.string(), z.string({ error: "expected text, or null" }).nullable())
  .meta({ id: "SecretChanges" });

/** Values to compare with the secrets that are there. */
export const secretValuesSchema = z
  .record(z.string(), z.string({ error: "expected text" }))
  .meta({ id: "SecretValues" });

/** A secret of a function, without its value. */
export const secretSchema = z
  .strictObject({
    name: z.string(),
    key: z.string().nullable().describe("The id of the cluster key that it is sealed with"),
  })
  .meta({ id: "Secret" });

/** How values stand to the secrets that are there. */
export const comparisonSchema = z.strictObject({
  secrets: z.record(z.string(), z.enum(["same", "different", "missing", "unreadable"])),
});
