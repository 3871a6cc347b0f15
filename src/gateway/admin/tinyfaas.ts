import * as z from "zod";

import { EnokiError, type ErrorCode } from "../../core/errors.js";
import { parseFunctionName, type FunctionName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { Role } from "../../core/rights.js";
import type { DeployRequest, FunctionsFacade } from "../../functions/facade.js";
import { parseInput } from "../../input/parse-input.js";
import { parseJson, readBody, readJson } from "./body.js";
import type { AdminDeps } from "./deps.js";
import { fetchArchive } from "./fetch-archive.js";
import { text } from "./responses.js";
import { route, type AdminRoute, type BodyDescription, type Method } from "./route.js";
import { lineStream } from "./streams.js";
import { isoTime } from "./views.js";

/** A zip in base64, then the other members. */
const UPLOAD_BYTES_MAX = Math.ceil(LIMITS.archiveBytesMax / 3) * 4 + 1024 * 1024;

/** What their clients call a malformed request; everything else is 500 to them. */
const MALFORMED: ReadonlySet<ErrorCode> = new Set([
  "ENOKI_INVALID_INPUT",
  "ENOKI_INVALID_NAME",
  "ENOKI_BODY_TOO_LARGE",
]);

const uploadFields = {
  name: z.string(),
  env: z.string(),
  /** 0 is what their clients send when nobody said anything. */
  threads: z.int().min(0).max(10_000).nullish(),
  envs: z.union([z.array(z.string()), z.record(z.string(), z.string())]).nullish(),
};
const uploadSchema = z.object({ ...uploadFields, zip: z.string() });
const uploadUrlSchema = z.object({
  ...uploadFields,
  url: z.string(),
  subfolder_path: z.string().nullish(),
});
const nameSchema = z.object({ name: z.string() });

const plain = (description: string): BodyDescription => ({
  description,
  contentType: "text/plain",
});

/** tinyFaaS's management API, in its own form: text answers, 400 and 500. */
export function tinyfaasRoutes(deps: AdminDeps): AdminRoute[] {
  const { functions } = deps;
  return [
    tinyfaasRoute("POST", "/upload", "deploy", "Deploy a zip", uploadSchema, async (request) => {
      const body = await readBody(request, {
        sizeBytesMax: UPLOAD_BYTES_MAX,
        code: "ENOKI_BODY_TOO_LARGE",
      });
      const upload = parseInput(uploadSchema, parseJson(body, "the body"));
      return deploy(deps, upload, async () => decodeZip(upload.zip));
    }),
    tinyfaasRoute(
      "POST",
      "/uploadURL",
      "deploy",
      "Deploy a zip from a URL",
      uploadUrlSchema,
      (request) => uploadUrl(deps, request),
    ),
    tinyfaasRoute("POST", "/delete", "deploy", "Remove a function", nameSchema, async (request) => {
      const { name } = await readJson(request, nameSchema);
      await functions.remove(parseFunctionName(name), { deleteData: false });
      return text("");
    }),
    tinyfaasRoute("GET", "/list", "read", "Names of all functions", undefined, () =>
      text(
        functions
          .list()
          .map(({ name }) => `${name}\n`)
          .join(""),
      ),
    ),
    tinyfaasRoute(
      "POST",
      "/wipe",
      "deploy",
      "Remove all functions; their data stays",
      undefined,
      () => wipe(functions),
    ),
    logsRoute(deps),
  ];
}

function tinyfaasRoute(
  method: Method,
  path: string,
  access: Role,
  summary: string,
  schema: z.ZodType | undefined,
  handle: (request: Request) => Response | Promise<Response>,
): AdminRoute {
  return route({
    ...tinyfaasRow(method, path, access, summary),
    ...(schema
      ? { requestBody: { description: "JSON", contentType: "application/json", schema } }
      : {}),
    handle: ({ request }) => handle(request),
  });
}

function tinyfaasRow(method: Method, path: string, access: Role, summary: string) {
  return {
    method,
    path,
    access,
    id: `tinyfaas${path.charAt(1).toUpperCase()}${path.slice(2)}`,
    tag: "tinyFaaS",
    summary,
    responses: {
      200: plain("Done"),
      400: plain("The request is malformed"),
      500: plain("Everything else"),
    },
    onError: toText,
    onWrongMethod: () => text(`${path} takes ${method}\n`, 400),
  } as const;
}

function toText(error: unknown): Response {
  if (!(error instanceof EnokiError)) return text("ENOKI_INTERNAL: see the node's log\n", 500);
  const status = MALFORMED.has(error.code) ? 400 : 500;
  return text(`${error.code}: ${error.message}\n`, status);
}

type Upload = z.output<z.ZodObject<typeof uploadFields>>;

async function deploy(
  { functions, functionUrl }: AdminDeps,
  upload: Upload,
  readArchive: () => Promise<Buffer>,
): Promise<Response> {
  const name = parseFunctionName(upload.name);
  const env = readEnvs(upload.envs ?? []);
  const request: DeployRequest = {
    name,
    archive: await readArchive(),
    runtime: upload.env === "binary" ? "tinyfaas-binary" : upload.env,
    config: { env, ...(upload.threads ? { maxInstances: upload.threads } : {}) },
    allowBuild: false,
  };
  await functions.deploy(request);
  return text(`${functionUrl()}/${name}\n`);
}

function readEnvs(envs: readonly string[] | Record<string, string>): Record<string, string> {
  if (!Array.isArray(envs)) return { ...(envs as Record<string, string>) };
  const pairs = (envs as readonly string[]).map((pair): [string, string] => {
    const mark = pair.indexOf("=");
    if (mark <= 0) throw new EnokiError("ENOKI_INVALID_INPUT", "envs: expected NAME=VALUE");
    return [pair.slice(0, mark), pair.slice(mark + 1)];
  });
  return Object.fromEntries(pairs);
}

function decodeZip(zip: string): Buffer {
  const base64 = zip.replaceAll(/\s/g, "");
  if (base64 === "" || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "zip: not base64");
  }
  return Buffer.from(base64, "base64");
}

async function uploadUrl(deps: AdminDeps, request: Request): Promise<Response> {
  if (!deps.allowUploadUrl) {
    return text("this node fetches no URLs; start it with --allow-upload-url\n", 403);
  }
  const upload = await readJson(request, uploadUrlSchema);
  return deploy(deps, upload, () => fetchArchive(upload.url, upload.subfolder_path ?? ""));
}

/** Removes as many functions as it can before it reports the first failure. */
async function wipe(functions: FunctionsFacade): Promise<Response> {
  const failures: unknown[] = [];
  const names = functions.list().map(({ name }) => name);
  for (const name of names) {
    try {
      await functions.remove(name, { deleteData: false });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return text("");
}

function logsRoute({ functions, logger }: AdminDeps): AdminRoute {
  return route({
    ...tinyfaasRow("GET", "/logs", "read", "The kept log lines of one function, or of all"),
    query: z.object({ name: z.string().optional() }),
    handle: ({ query }) => {
      const names =
        query.name === undefined || query.name === ""
          ? functions.list().map(({ name }) => name)
          : [functions.describe(parseFunctionName(query.name)).name];
      return lineStream(logLines(functions, names), "text/plain; charset=utf-8", logger);
    },
  });
}

function* logLines(functions: FunctionsFacade, names: readonly FunctionName[]): Generator<string> {
  for (const name of names) {
    for (const { stream, atMs, text } of functions.logs(name, Number.MAX_SAFE_INTEGER)) {
      yield `function=${name} handler=${stream} ${isoTime(atMs)} ${text}`;
    }
  }
}
