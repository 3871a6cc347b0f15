import type { z } from "zod";

import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import type { SecretChanges } from "../../functions/facade.js";
import type { FunctionConfig } from "../../functions/types.js";
import { parseInput } from "../../input/parse-input.js";
import { readBody } from "./body.js";
import type { AdminDeps } from "./deps.js";
import { secretChangesSchema, secretValuesSchema } from "./secret-schemas.js";

/** Secrets as they are sent to a node: values by names, `null` = it goes. */
export type SecretValues = z.output<typeof secretChangesSchema>;

/** Enough for all secrets that a function may have, with every character escaped. */
const BODY_BYTES_MAX = 512 * 1024;

/** Reads a body of changes. @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_BODY_TOO_LARGE` */
export async function readSecretChanges(request: Request): Promise<SecretValues> {
  return parseSecrets(await readSecretBody(request));
}

/** Reads a body of values. @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_BODY_TOO_LARGE` */
export async function readSecretValues(request: Request): Promise<Record<string, string>> {
  return parseInput(secretValuesSchema, parseQuietly(await readSecretBody(request)), "secrets");
}

/** Parses changes. The error of what is malformed has nothing of it. @throws EnokiError `ENOKI_INVALID_INPUT` */
export function parseSecrets(bytes: Buffer): SecretValues {
  return parseInput(secretChangesSchema, parseQuietly(bytes), "secrets");
}

/**
 * Seals what is set; what is taken away has to be there. `undefined` = nothing is to change.
 * @throws EnokiError `ENOKI_SECRET_NOT_FOUND`
 */
export async function sealChanges(
  { secrets }: Pick<AdminDeps, "secrets">,
  name: FunctionName,
  values: SecretValues,
  present: FunctionConfig["secrets"] = {},
): Promise<SecretChanges | undefined> {
  if (Object.keys(values).length === 0) return undefined;
  const set: Record<string, string> = {};
  const gone: Record<string, null> = {};
  for (const [secret, value] of Object.entries(values)) {
    if (value !== null) set[secret] = value;
    else if (Object.hasOwn(present, secret)) gone[secret] = null;
    else throw notThere(name, secret);
  }
  const isNothingSet = Object.keys(set).length === 0;
  return { ...(isNothingSet ? {} : await secrets.seal(name, set, present)), ...gone };
}

/** The secrets of a function now, sealed; none of one that is not there yet. */
export function presentSecrets(
  { functions }: Pick<AdminDeps, "functions">,
  name: FunctionName,
): FunctionConfig["secrets"] {
  const record = functions.list().find((known) => known.name === name);
  return record?.revisions.find(({ number }) => number === record.current)?.config.secrets;
}

function notThere(name: FunctionName, secret: string): EnokiError {
  const shown = JSON.stringify(secret.slice(0, 128));
  return new EnokiError("ENOKI_SECRET_NOT_FOUND", `function "${name}" has no secret ${shown}`);
}

async function readSecretBody(request: Request): Promise<Buffer> {
  return readBody(request, { sizeBytesMax: BODY_BYTES_MAX, code: "ENOKI_BODY_TOO_LARGE" });
}

/** why: what JSON.parse says of malformed text quotes some of it. */
function parseQuietly(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as unknown;
  } catch {
    throw new EnokiError("ENOKI_INVALID_INPUT", "secrets: is not JSON", { field: "secrets" });
  }
}
