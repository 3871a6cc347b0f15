import { resolve } from "node:path";

import { closest } from "../base/closest.js";
import { isLoopback } from "../base/loopback.js";
import { EnokiError } from "../core/errors.js";
import type { LinkCredentials } from "../links/identity.js";
import { type ClusterKey, parseClusterKeys } from "../secrets/cluster-keys.js";
import { loadNaming, NAMING_PASSWORD_VARIABLE, type NamingConfig } from "./naming-config.js";
import { describeSettings, settingsSchema, type Settings } from "./settings.js";
import { loadTracing, type TracingConfig } from "./tracing-config.js";

/** How a node is to run: checked, complete, with units in names. A port of `undefined` is off. */
export interface NodeConfig extends Omit<
  Settings,
  | "adminTokenFile"
  | "clusterKeyFile"
  | "config"
  | "functions"
  | "naming"
  | "otlp"
  | "traceRatio"
  | "namingPasswordFile"
  | "namingCaFile"
  | "namingCertFile"
  | "namingKeyFile"
  | "linkCert"
  | "linkKey"
  | "linkCa"
> {
  /** Absolute. */
  readonly dataDir: string;
  /** A token that is good for everything, beside those that the node or its cluster keeps. */
  readonly adminToken: string | undefined;
  readonly functions: "public" | "token";
  readonly naming: NamingConfig;
  /** `undefined` = nothing is traced. */
  readonly tracing: TracingConfig | undefined;
  /** What this node proves its name with on links, in PEM; `undefined` = only on loopback. */
  readonly linkCredentials: LinkCredentials | undefined;
  /** What secrets are sealed with, the first one, and opened; none = the node has to make its own. */
  readonly clusterKeys: readonly ClusterKey[];
}

/** Where settings come from. The earlier one wins: flags, environment, file, defaults. */
export interface ConfigSources {
  /** By the names of {@link Settings}; what was not said is absent or `undefined`. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a text file; rejects if it cannot. */
  readonly readFile: (path: string) => Promise<string>;
  /** Whether a file can be read or changed by other users of the machine; absent: not looked at. */
  readonly isOpenToOthers?: (path: string) => Promise<boolean>;
}

/** Variables that belong to the command line or hold secrets, not settings. */
const OTHER_VARIABLES: readonly string[] = [
  "ENOKI_NODE",
  "ENOKI_TOKEN",
  "ENOKI_ADMIN_TOKEN",
  NAMING_PASSWORD_VARIABLE,
];

/** Beside its HTTP ports, which are ours too. */
const TINYFAAS_PORTS = { coap: 5683, grpc: 9000 } as const;

/** A setting that was said, with the words to name it by. */
interface Said {
  readonly value: unknown;
  readonly source: string;
}

type SaidSettings = Map<keyof Settings, Said>;

/**
 * Brings flags, `ENOKI_*` and `node.yaml` together.
 * @throws EnokiError `ENOKI_INVALID_CONFIG` naming the setting where it was said,
 * `ENOKI_CREDENTIALS_REQUIRED`
 */
export async function loadConfig(sources: ConfigSources): Promise<NodeConfig> {
  const fromFlags = readFlags(sources.flags);
  const fromEnv = readEnv(sources.env);
  const file = fromFlags.get("config") ?? fromEnv.get("config");
  const fromFile = file === undefined ? new Map() : await readConfigFile(file, sources);
  const said: SaidSettings = new Map([...fromFile, ...fromEnv, ...fromFlags]);
  const settings = withTinyfaasPorts(check(said), said);
  refuseContradictions(settings, said);
  const naming = await loadNaming(settings, { ...sources, sourceOf: (key) => sourceOf(said, key) });
  const adminToken = await readToken(fromFlags, said, sources);
  const linkCredentials = await readLinkCredentials(said, sources);
  requireLinkCredentials(settings, linkCredentials);
  const isSaid = (key: keyof Settings): boolean => said.has(key);
  const tracing = loadTracing(settings, { env: sources.env, isSaid });
  const clusterKeys = await readClusterKeys(said, sources);
  return { ...complete(settings, adminToken), naming, tracing, linkCredentials, clusterKeys };
}

function readFlags(flags: ConfigSources["flags"]): SaidSettings {
  const said: SaidSettings = new Map();
  for (const { key, flag } of describeSettings()) {
    if (flags[key] !== undefined) said.set(key, { value: flags[key], source: flag });
  }
  return said;
}

function readEnv(env: ConfigSources["env"]): SaidSettings {
  const said: SaidSettings = new Map();
  const keys = new Map(describeSettings().map(({ key, env }) => [env, key]));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("ENOKI_") || OTHER_VARIABLES.includes(name)) continue;
    const key = keys.get(name);
    if (key === undefined) throw unknown(name, [...keys.keys(), ...OTHER_VARIABLES]);
    if (value !== undefined && value !== "") said.set(key, { value, source: name });
  }
  return said;
}

async function readConfigFile(file: Said, { readFile }: ConfigSources): Promise<SaidSettings> {
  const path = String(file.value);
  const content = await readText(file, readFile);
  const said: SaidSettings = new Map();
  const keys = new Map(describeSettings().map(({ name, key }) => [name, key]));
  keys.delete("config");
  for (const [name, value] of Object.entries(await parseMapping(path, content))) {
    const key = keys.get(name);
    if (key === undefined) throw unknown(`${path}: ${name}`, keys.keys(), name);
    said.set(key, { value, source: `${path}: ${name}` });
  }
  return said;
}

async function parseMapping(path: string, content: string): Promise<Record<string, unknown>> {
  // why: only a node with a file pays for loading the parser.
  const { parse: parseYaml } = await import("yaml");
  let parsed: unknown;
  try {
    parsed = parseYaml(content) ?? {};
  } catch (error) {
    throw invalid(path, (error as Error).message.split("\n", 1)[0] as string);
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Record<string, unknown>;
  }
  throw invalid(path, "expected lines such as `function-port: 8000`");
}

function check(said: SaidSettings): Settings {
  const given = Object.fromEntries([...said].map(([key, { value }]) => [key, value]));
  const result = settingsSchema.safeParse(given);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const source = said.get(issue?.path[0] as keyof Settings)?.source ?? "the configuration";
  throw invalid(source, issue?.message ?? "it is invalid");
}

/** With `tinyfaas`, the ports that nothing was said of are tinyFaaS's. */
function withTinyfaasPorts(settings: Settings, said: SaidSettings): Settings {
  if (!settings.tinyfaas) return settings;
  return {
    ...settings,
    coapPort: said.has("coapPort") ? settings.coapPort : TINYFAAS_PORTS.coap,
    grpcPort: said.has("grpcPort") ? settings.grpcPort : TINYFAAS_PORTS.grpc,
  };
}

function refuseContradictions(settings: Settings, said: SaidSettings): void {
  for (const key of ["name", "naming", "advertise", "linkCert"] as const) {
    if (settings.nodes === undefined || !said.has(key)) continue;
    throw invalid(sourceOf(said, key), "does not go with --nodes, which are all in this process");
  }
  if (settings.storage === "memory" && settings.durability === "strict") {
    throw invalid(sourceOf(said, "durability"), "memory outlives no process; use storage lmdb");
  }
}

/** A flag goes before the variable with the token itself, and that before any other setting. */
async function readToken(
  fromFlags: SaidSettings,
  said: SaidSettings,
  { env, readFile }: ConfigSources,
): Promise<string | undefined> {
  const file = said.get("adminTokenFile");
  const fromEnv = env["ENOKI_ADMIN_TOKEN"];
  if (fromEnv !== undefined && fromEnv !== "" && !fromFlags.has("adminTokenFile")) {
    return checkToken("ENOKI_ADMIN_TOKEN", fromEnv);
  }
  if (file === undefined) return undefined;
  return checkToken(file.source, (await readText(file, readFile)).trim());
}

async function readText(
  { value, source }: Said,
  readFile: ConfigSources["readFile"],
): Promise<string> {
  const path = String(value);
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw invalid(source, `cannot read ${path} (${error.code ?? error.message})`);
  });
}

async function readClusterKeys(
  said: SaidSettings,
  { readFile, isOpenToOthers }: ConfigSources,
): Promise<readonly ClusterKey[]> {
  const file = said.get("clusterKeyFile");
  if (file === undefined) return [];
  const path = String(file.value);
  const content = await readText(file, readFile);
  if (await isOpenToOthers?.(path)) {
    throw invalid(file.source, `other users of this machine may read ${path}: chmod 600 ${path}`);
  }
  return parseClusterKeys(content, `${file.source}: ${path}`);
}

/** All three files, or none. */
async function readLinkCredentials(
  said: SaidSettings,
  { readFile }: ConfigSources,
): Promise<LinkCredentials | undefined> {
  const [cert, key, ca] = [said.get("linkCert"), said.get("linkKey"), said.get("linkCa")];
  const given = cert ?? key ?? ca;
  if (given === undefined) return undefined;
  if (!cert || !key || !ca) {
    throw invalid(given.source, "--link-cert, --link-key and --link-ca go together");
  }
  const files = await Promise.all([cert, key, ca].map((file) => readText(file, readFile)));
  return { cert: files[0] as string, key: files[1] as string, ca: files[2] as string };
}

function requireLinkCredentials(settings: Settings, given: LinkCredentials | undefined): void {
  const hasLinks = settings.naming !== "memory" && settings.linkPort !== undefined;
  if (!hasLinks || given || isLoopback(settings.host)) return;
  const files = "--link-cert, --link-key and --link-ca";
  const detail = `links on ${settings.host} reach beyond this machine and need ${files}`;
  throw new EnokiError("ENOKI_CREDENTIALS_REQUIRED", detail);
}

function checkToken(source: string, token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw invalid(source, "a token is one line of visible ASCII without blanks");
}

function complete(
  settings: Settings,
  adminToken: string | undefined,
): Omit<NodeConfig, "naming" | "tracing" | "linkCredentials" | "clusterKeys"> {
  const {
    adminTokenFile: _file,
    clusterKeyFile: _keysFile,
    config: _config,
    functions,
    naming: _naming,
    otlp: _otlp,
    traceRatio: _traceRatio,
    namingPasswordFile: _passwordFile,
    namingCaFile: _caFile,
    namingCertFile: _certFile,
    namingKeyFile: _keyFile,
    linkCert: _linkCert,
    linkKey: _linkKey,
    linkCa: _linkCa,
    ...rest
  } = settings;
  if (!isLoopback(settings.host)) requireAccess(settings, adminToken);
  return {
    ...rest,
    dataDir: resolve(settings.dataDir),
    functions: functions ?? "public",
    adminToken,
  };
}

/** Whether there is a token, the node says itself once it has looked for some. */
function requireAccess(settings: Settings, adminToken: string | undefined): void {
  const callPorts = [settings.functionPort, settings.coapPort, settings.grpcPort];
  if (settings.functions !== undefined || callPorts.every((port) => port === undefined)) return;
  const needsToken = settings.adminPort !== undefined && adminToken === undefined;
  const token = needsToken ? ", and a token: see --admin-token-file and enoki tokens create" : "";
  const detail = `listening on ${settings.host} reaches beyond this machine and needs --functions public|token${token}`;
  throw new EnokiError("ENOKI_CREDENTIALS_REQUIRED", detail);
}

function sourceOf(said: SaidSettings, key: keyof Settings): string {
  return said.get(key)?.source ?? key;
}

function unknown(shown: string, known: Iterable<string>, name = shown): EnokiError {
  const meant = closest(name, known);
  const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
  return invalid(shown, `there is no such setting${hint}`);
}

function invalid(source: string, detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_CONFIG", `${source}: ${detail}`);
}
