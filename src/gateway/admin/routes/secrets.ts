import * as z from "zod";

import { EnokiError } from "../../../core/errors.js";
import { parseFunctionName, type FunctionName } from "../../../core/ids.js";
import { withSecrets } from "../../../functions/secret-changes.js";
import { currentRevision } from "../../../functions/registry.js";
import type { AdminDeps } from "../deps.js";
import { json } from "../responses.js";
import { route, type AdminCall, type AdminRoute } from "../route.js";
import { functionSchema } from "../schemas.js";
import {
  comparisonSchema,
  secretChangesSchema,
  secretSchema,
  secretValuesSchema,
} from "../secret-schemas.js";
import { readSecretChanges, readSecretValues, sealChanges } from "../secret-values.js";
import { showKnown } from "../shown-function.js";
import { showSecrets } from "../views.js";

const PATH = "/v1/functions/{name}/secrets";
const SERVES = {
  description: "The function, whose next revision serves if anything has changed",
  contentType: "application/json",
  schema: functionSchema,
} as const;

/** The secrets of functions. No answer has a value in it. */
export function secretRoutes(deps: AdminDeps): AdminRoute[] {
  const { functions, secrets } = deps;
  return [
    route({
      method: "GET",
      path: PATH,
      id: "listSecrets",
      access: "read",
      tag: "functions",
      summary: "The names of a function's secrets",
      responses: {
        200: {
          description: "All secrets of its current revision",
          contentType: "application/json",
          schema: z.strictObject({ secrets: z.array(secretSchema) }),
        },
      },
      handle: (call) => json({ secrets: showSecrets(configOf(deps, named(call))) }),
    }),
    route({
      method: "PATCH",
      path: PATH,
      id: "changeSecrets",
      access: "deploy",
      tag: "functions",
      summary: "Set secrets of a function, or take them away; the others stay",
      requestBody: {
        description: "Values by names; null takes one away",
        contentType: "application/json",
        schema: secretChangesSchema,
      },
      responses: { 200: SERVES },
      handle: async (call) => {
        const name = named(call);
        const values = await readSecretChanges(call.request);
        const record = await functions.reconfigure(name, async (config) =>
          withSecrets(config, (await sealChanges(deps, name, values, config.secrets)) ?? {}),
        );
        return json(showKnown(deps, record));
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/compare`,
      id: "compareSecrets",
      access: "deploy",
      tag: "functions",
      summary: "Whether values are those of a function's secrets",
      requestBody: {
        description: "Values by names",
        contentType: "application/json",
        schema: secretValuesSchema,
      },
      responses: {
        200: {
          description: "How each stands to what is there",
          contentType: "application/json",
          schema: comparisonSchema,
        },
      },
      handle: async (call) => {
        const name = named(call);
        const values = await readSecretValues(call.request);
        const present = configOf(deps, name).secrets ?? {};
        const compared = Object.entries(values).map(([secret, value]) => {
          const sealed = Object.hasOwn(present, secret) ? present[secret] : undefined;
          return [secret, secrets.compare(name, secret, sealed, value)];
        });
        return json({ secrets: Object.fromEntries(compared) as Record<string, string> });
      },
    }),
    route({
      method: "POST",
      path: `${PATH}/reseal`,
      id: "resealSecrets",
      access: "deploy",
      tag: "functions",
      summary: "Seal all secrets of a function with the key that seals now",
      responses: { 200: SERVES },
      handle: async (call) => {
        const name = named(call);
        const record = await functions.reconfigure(name, async (config) => {
          const { secrets: present } = config;
          if (!present) throw new EnokiError("ENOKI_SECRET_NOT_FOUND", `"${name}" has no secrets`);
          return withSecrets(config, await secrets.reseal(name, present));
        });
        return json(showKnown(deps, record));
      },
    }),
  ];
}

function named(call: AdminCall<unknown>): FunctionName {
  return parseFunctionName(call.param("name"));
}

/** @throws EnokiError `ENOKI_FUNCTION_NOT_FOUND` */
function configOf({ functions }: AdminDeps, name: FunctionName) {
  return currentRevision(functions.describe(name)).config;
}
