import { isAbsolute, join } from "node:path";
import * as z from "zod";

import { closest } from "../../base/closest.js";
import { EnokiError } from "../../core/errors.js";
import { isLabel } from "../../core/labels.js";
import {
  applicationField,
  cpusField,
  durationField,
  sizeField,
  timerField,
} from "../../input/fields.js";
import { RIGHTS } from "../../core/rights.js";
import type { FunctionConfig, GrantInfo, KeygroupSettings } from "../../client/types.js";
import { parseTriggers } from "../../triggers/trigger.js";
import { inFolder, secretSourcesField, type SecretSource } from "./secret-sources.js";
import { readYaml, type YamlText } from "./yaml-text.js";

/** Name of the file that describes an application. */
export const MANIFEST_FILE = "enoki.yaml";

/** One function of an application. */
export interface ManifestFunction {
  readonly name: string;
  /** Where its code is. */
  readonly path: string;
  /** Settings as the API takes them; those that are not said stay as they are. */
  readonly config: FunctionConfig;
  /** Names, `NAME=VALUE` and `all`; empty = the node that is asked. */
  readonly nodes: readonly string[];
  /** `replicate` or `at:NODE`; `undefined` = as it is. */
  readonly data: string | undefined;
  /** Where the values of its secrets are, by their names; they stand nowhere in the manifest. */
  readonly secretSources: ReadonlyMap<string, SecretSource>;
}

/** One keygroup of an application. */
export interface ManifestKeygroup {
  readonly name: string;
  readonly settings: KeygroupSettings;
  readonly grants: readonly GrantInfo[];
}

/** What an `enoki.yaml` says. */
export interface Manifest {
  readonly application: string;
  /** In their order. */
  readonly functions: readonly ManifestFunction[];
  readonly keygroups: readonly ManifestKeygroup[];
}

const words = z
  .union([z.string(), z.array(z.string())], { error: "expected names" })
  .transform((given) => [given].flat().flatMap((text) => text.split(",")))
  .transform((given) => given.map((word) => word.trim()));

/** Checks a field and leaves it as it was said, which is how the API takes it. */
function asSaid<Schema extends z.ZodType>(schema: Schema) {
  return z.unknown().superRefine((value, context) => {
    const result = schema.safeParse(value);
    for (const { message } of result.error?.issues ?? []) context.addIssue(message);
  });
}

const rights = words.pipe(
  z.array(z.enum(RIGHTS, { error: `expected rights: ${RIGHTS.join(", ")}` })).min(1),
);

const grantee = z
  .string()
  .regex(/^(?:function|token):[A-Za-z0-9-]{1,63}$/, "expected function:NAME or token:NAME");

/** `keygroup:NAME/PREFIX` and its like, or such a one with the place where it is taken up. */
const triggers = z
  .array(
    z.union([
      z.string().transform((on) => ({ on, at: undefined })),
      z.strictObject({ on: z.string(), at: z.string().optional() }),
    ]),
    { error: "expected a list of triggers" },
  )
  .transform((given, context) => {
    try {
      return parseTriggers(given);
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });

const functionFields = z.strictObject({
  path: z.string({ error: "expected the path of its code" }).min(1),
  runtime: z.string().optional(),
  nodes: words
    .refine((all) => all.every((word) => !word.includes("=") || isLabel(word)), {
      error: "expected names of nodes, NAME=VALUE of labels, or all",
    })
    .optional(),
  data: z
    .string()
    .regex(/^(?:replicate|at:.+)$/, "expected replicate, or at:NODE")
    .optional(),
  env: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()], { error: "expected text" }))
    .optional(),
  timeout: asSaid(timerField).optional(),
  memory: asSaid(sizeField).optional(),
  cpu: asSaid(cpusField).optional(),
  "max-instances": z.int().min(1).max(10_000).optional(),
  concurrency: z.int().min(1).optional(),
  isolation: z.enum(["process", "sandbox"]).optional(),
  network: z.enum(["none", "host"]).optional(),
  access: z.enum(["public", "token"]).optional(),
  "remote-writes": z.enum(["awaited", "pipelined"]).optional(),
  "allow-build": z.boolean().optional(),
  secrets: secretSourcesField.optional(),
  triggers: triggers.optional(),
});

const keygroupFields = z.strictObject({
  policy: z.enum(["lww", "siblings", "merge"]).optional(),
  durability: z.enum(["relaxed", "strict"]).optional(),
  ttl: asSaid(z.union([z.null(), durationField])).optional(),
  grants: z.record(grantee, rights).optional(),
});

const manifestFields = z.strictObject({
  application: applicationField,
  functions: z.record(applicationField, functionFields).optional(),
  keygroups: z.record(applicationField, keygroupFields.nullable()).optional(),
});

/**
 * Reads a manifest; paths in it are relative to `folder`.
 * @throws EnokiError `ENOKI_INVALID_MANIFEST` with the file, the line and what is wrong there
 */
export async function parseManifest(
  text: string,
  { file, folder }: { readonly file: string; readonly folder: string },
): Promise<Manifest> {
  const yaml = await readYaml(text, file);
  const result = manifestFields.safeParse(yaml.value);
  if (!result.success) throw invalid(yaml, result.error.issues[0] as z.core.$ZodIssue);
  const { application, functions = {}, keygroups = {} } = result.data;
  return {
    application,
    functions: Object.entries(functions).map(([name, fields]) => ({
      name,
      path: isAbsolute(fields.path) ? fields.path : join(folder, fields.path),
      config: { ...configOf(fields), application },
      nodes: fields.nodes ?? [],
      data: fields.data,
      secretSources: inFolder(fields.secrets ?? new Map(), folder),
    })),
    keygroups: Object.entries(keygroups).map(([name, fields]) => {
      const { grants = {}, ...settings } = fields ?? {};
      return {
        name,
        settings: said(settings) as KeygroupSettings,
        grants: Object.entries(grants).map(([to, rights]) => ({ to, rights })),
      };
    }),
  };
}

function configOf(fields: z.output<typeof functionFields>): FunctionConfig {
  const { path: _path, nodes: _nodes, data: _data, secrets: _secrets, env = {}, ...rest } = fields;
  const { "max-instances": maxInstances, "allow-build": allowBuild, ...others } = rest;
  const { "remote-writes": remoteWrites, cpu, memory, ...same } = others;
  const texts = Object.entries(env).map(([name, value]) => [name, String(value)]);
  return said({
    ...same,
    maxInstances,
    allowBuild,
    remoteWrites,
    cpu: cpu === undefined ? undefined : String(cpu),
    memory: memory === undefined ? undefined : String(memory),
    // why always: a variable that is no longer there is to go.
    env: Object.fromEntries(texts) as Record<string, string>,
  }) as FunctionConfig;
}

function said(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function invalid(yaml: YamlText, issue: z.core.$ZodIssue): EnokiError {
  if (issue.code === "unrecognized_keys")
    return unknownKey(yaml, issue.path, issue.keys[0] as string);
  const inner = issue.code === "invalid_key" ? issue.issues[0]?.message : undefined;
  const isMissing = issue.code === "invalid_type" && issue.input === undefined;
  const where = issue.path.map(String).join(".");
  const last = issue.path.at(-1);
  const nullRead = issue.code === "invalid_type" && yaml.value === null;
  if (nullRead) return fault(yaml, [], "it is empty: begin with application: NAME");
  if (isMissing && last !== undefined && yaml.isMissing(issue.path)) {
    return fault(yaml, issue.path.slice(0, -1), `${where} is missing`);
  }
  return fault(yaml, issue.path, `${where === "" ? "" : `${where}: `}${inner ?? issue.message}`);
}

function unknownKey(yaml: YamlText, path: readonly PropertyKey[], key: string): EnokiError {
  const where = [...path.map(String), key].join(".");
  const meant = closest(key, keysAt(path));
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  return fault(yaml, [...path, key], `${where}: there is no such key${hint}`);
}

function keysAt([first]: readonly PropertyKey[]): string[] {
  if (first === "functions") return Object.keys(functionFields.shape);
  return Object.keys((first === "keygroups" ? keygroupFields : manifestFields).shape);
}

function fault(yaml: YamlText, path: readonly PropertyKey[], detail: string): EnokiError {
  const line = yaml.lineOf(path);
  const at = `${yaml.file}:${line}`;
  return new EnokiError("ENOKI_INVALID_MANIFEST", `${at}: ${detail}`, { line });
}
