import type { z } from "zod";

import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { DeployRequest } from "../../functions/facade.js";
import { parseInput } from "../../input/parse-input.js";
import { parseTriggers } from "../../triggers/trigger.js";
import { parseJson, readBody } from "./body.js";
import { functionConfigSchema } from "./schemas.js";
import { parseSecrets, type SecretValues } from "./secret-values.js";

/** Room for the config and the lines between the parts. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;

const PARTS: ReadonlySet<string> = new Set(["archive", "config", "secrets"]);

/** A deploy with its secrets as they were sent. */
export interface DeployForm {
  readonly request: Omit<DeployRequest, "secrets">;
  readonly secrets: SecretValues;
}

/**
 * Reads a deploy: `multipart/form-data` with the parts `archive` and, if wanted, `config` and `secrets`.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_ARCHIVE_TOO_LARGE`
 */
export async function readDeployForm(request: Request, name: FunctionName): Promise<DeployForm> {
  const form = await readForm(request);
  for (const part of form.keys()) {
    if (!PARTS.has(part)) throw invalid(part, "there is no such part");
  }
  const archive = form.get("archive");
  if (archive === null) throw invalid("archive", "is missing");
  if (typeof archive === "string") throw invalid("archive", "must be a file: give it a file name");
  if (archive.size > LIMITS.archiveBytesMax) {
    throw new EnokiError(
      "ENOKI_ARCHIVE_TOO_LARGE",
      `it has ${archive.size} bytes, ${LIMITS.archiveBytesMax} are allowed`,
    );
  }
  const said = parseInput(functionConfigSchema, await readConfigPart(form), "config");
  const secrets = await readPart(form, "secrets");
  return {
    request: {
      name,
      archive: Buffer.from(await archive.arrayBuffer()),
      runtime: said.runtime,
      config: toFunctionConfig(said),
      allowBuild: said.allowBuild ?? false,
    },
    secrets: secrets === undefined ? {} : parseSecrets(secrets),
  };
}

async function readForm(request: Request): Promise<FormData> {
  const contentType = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      "Content-Type: expected multipart/form-data with the parts archive and config",
      { field: "Content-Type" },
    );
  }
  const body = await readBody(request, {
    sizeBytesMax: LIMITS.archiveBytesMax + FORM_OVERHEAD_BYTES,
    code: "ENOKI_ARCHIVE_TOO_LARGE",
  });
  try {
    return await new Response(body, { headers: { "Content-Type": contentType } }).formData();
  } catch {
    throw new EnokiError("ENOKI_INVALID_INPUT", "the body is not multipart/form-data");
  }
}

async function readConfigPart(form: FormData): Promise<unknown> {
  const bytes = await readPart(form, "config");
  return bytes === undefined ? {} : parseJson(bytes, "config");
}

async function readPart(form: FormData, name: string): Promise<Buffer | undefined> {
  const part = form.get(name);
  if (part === null) return undefined;
  return typeof part === "string" ? Buffer.from(part) : Buffer.from(await part.arrayBuffer());
}

/** Only what was said, so that the rest keeps its setting. */
function toFunctionConfig(said: z.output<typeof functionConfigSchema>): DeployRequest["config"] {
  return {
    ...(said.env === undefined ? {} : { env: said.env }),
    ...(said.timeout === undefined ? {} : { timeoutMs: said.timeout }),
    ...(said.memory === undefined ? {} : { memoryBytes: said.memory }),
    ...(said.cpu === undefined ? {} : { cpus: said.cpu }),
    ...(said.maxInstances === undefined ? {} : { maxInstances: said.maxInstances }),
    ...(said.concurrency === undefined ? {} : { concurrency: said.concurrency }),
    ...(said.isolation === undefined ? {} : { isolation: said.isolation }),
    ...(said.network === undefined ? {} : { network: said.network }),
    ...(said.access === undefined ? {} : { access: said.access }),
    ...(said.remoteWrites === undefined ? {} : { remoteWrites: said.remoteWrites }),
    ...(said.application === undefined ? {} : { application: said.application }),
    ...(said.triggers === undefined ? {} : { triggers: parseTriggers(said.triggers) }),
  };
}

function invalid(field: string, message: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", `${field}: ${message}`, { field });
}
