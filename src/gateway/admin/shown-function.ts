import type { z } from "zod";

import type { FunctionRecord } from "../../functions/types.js";
import type { AdminDeps } from "./deps.js";
import type { functionSchema } from "./schemas.js";
import { showFunction } from "./views.js";

/** A function as the API shows it, with how it is doing. */
export function showKnown(
  { functions, functionUrl, triggerFailures }: AdminDeps,
  record: FunctionRecord,
): z.input<typeof functionSchema> {
  const { name } = record;
  const status = functions.status(name);
  return showFunction(record, status, functionUrl(), functions.places(name), triggerFailures(name));
}
