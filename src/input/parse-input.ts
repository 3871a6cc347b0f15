import type { z } from "zod";

import { EnokiError } from "../core/errors.js";

/**
 * Checks `input` against `schema` and returns what the schema makes of it.
 *
 * @param where names the input in the detail, such as `query`; `""` = the fields speak for themselves
 * @throws EnokiError `ENOKI_INVALID_INPUT` with the first wrong field in the detail and in `field`
 */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  where = "",
): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = mostSpecific(result.error.issues);
  const path = [...(where === "" ? [] : [where]), ...issue.path].map(String).join(".");
  const detail = path === "" ? issue.message : `${path}: ${issue.message}`;
  throw new EnokiError("ENOKI_INVALID_INPUT", detail, path === "" ? {} : { field: path });
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The first issue; for one member too many, the member is the path. */
function mostSpecific(issues: readonly z.core.$ZodIssue[]): Issue {
  const issue = issues[0] as z.core.$ZodIssue;
  if (issue.code === "unrecognized_keys") {
    const known = issue.keys[0] as string;
    return { path: [...issue.path, known], message: "there is no such member" };
  }
  if (
    issue.code === "invalid_type" &&
    issue.input === undefined &&
    /undefined/.test(issue.message)
  ) {
    return { path: issue.path, message: `is missing` };
  }
  return { path: issue.path, message: lowerFirst(issue.message) };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
