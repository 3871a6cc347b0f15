import { isAbsolute, join } from "node:path";
import * as z from "zod";

import { readSecretFile } from "../secret-values.js";

/** Where the value of a secret is: a variable of who deploys, or a file. */
export type SecretSource =
  | { readonly kind: "env"; readonly variable: string }
  | { readonly kind: "file"; readonly path: string };

/** A value that was looked for. */
export type FoundSecret = { readonly value: string } | { readonly missing: string };

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const name = z.string().regex(NAME, "a secret has letters, digits and underscores");

/** why no part of what is there: who writes a value instead of its place is not to see it printed. */
const source = z
  .string({ error: "expected env, env:VARIABLE or file:PATH" })
  .regex(/^(?:env|env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, "expected env, env:VARIABLE or file:PATH");

/** Names of secrets, each that of a variable; or names with the places of their values. */
export const secretSourcesField = z
  .union([z.array(name), z.record(name, source)], {
    error: "expected names, or NAME: env, env:VARIABLE or file:PATH",
  })
  .transform((given): ReadonlyMap<string, SecretSource> => {
    if (Array.isArray(given)) return new Map(given.map((one) => [one, sourceOf(one, "env")]));
    return new Map(Object.entries(given).map(([one, text]) => [one, sourceOf(one, text)]));
  });

/** The same with paths from the folder of the manifest. */
export function inFolder(
  sources: ReadonlyMap<string, SecretSource>,
  folder: string,
): ReadonlyMap<string, SecretSource> {
  const absolute = (one: SecretSource): SecretSource =>
    one.kind === "env" || isAbsolute(one.path) ? one : { ...one, path: join(folder, one.path) };
  return new Map([...sources].map(([secret, one]) => [secret, absolute(one)]));
}

/** Looks the values up. @throws EnokiError `ENOKI_INVALID_INPUT` for a file that is no text */
export async function findSecrets(
  sources: ReadonlyMap<string, SecretSource>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ReadonlyMap<string, FoundSecret>> {
  const found = new Map<string, FoundSecret>();
  for (const [secret, one] of sources) found.set(secret, await find(secret, one, env));
  return found;
}

async function find(
  secret: string,
  one: SecretSource,
  env: Readonly<Record<string, string | undefined>>,
): Promise<FoundSecret> {
  if (one.kind === "file") {
    const value = await readSecretFile(secret, one.path);
    return value === undefined ? { missing: `there is no file ${one.path}` } : { value };
  }
  const value = env[one.variable];
  return value ? { value } : { missing: `the variable ${one.variable} is not set here` };
}

function sourceOf(secret: string, text: string): SecretSource {
  if (text.startsWith("file:")) return { kind: "file", path: text.slice("file:".length) };
  return { kind: "env", variable: text === "env" ? secret : text.slice("env:".length) };
}
