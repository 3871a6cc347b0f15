import type { z } from "zod";

import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { DeployRequest } from "../../functions/facade.js";
import { parseInput } from "../../input/parse-input.js";
import { parseTriggers } from "../../triggers/trigger.js";
import { parseJson, readBody } from "./body.js";
import { functionConfigSchema } from "./schemas.js";

/** Room for the config and the lines between the parts. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;

/**
 * Reads a deploy: `multipart/form-data` with the parts `archive` and, if wanted, `config`.
 * @throws EnokiError `ENOKI_INVALID_INPUT`, `ENOKI_ARCHIVE_TOO_LARGE`
 */
export async function readDeployForm(request: Request, name: FunctionName): Promise<DeployRequest> {
  const form = await readForm(request);
  for (const part of form.keys()) {
    if (part !== "archive" && part !== "config") throw invalid(part, "there is no such part");
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
  return {
    name,
    archive: Buffer.from(await archive.arrayBuffer()),
    runtime: said.runtime,
    config: toFunctionConfig(said),
    allowBuild: said.allowBuild ?? false,
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
  const config = form.get("config");
  if (config === null) return {};
  const bytes =
    typeof config === "string" ? Buffer.from(config) : Buffer.from(await config.arrayBuffer());
  return parseJson(bytes, "config");
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
    ...(said.application === undefined ? {} : { application: said.application }),
    ...(said.triggers === undefined ? {} : { triggers: parseTriggers(said.triggers) }),
  };
}

function invalid(field: string, message: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", `${field}: ${message}`, { field });
}
