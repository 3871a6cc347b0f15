import { EnokiError } from "../core/errors.js";
import { type EtcdAddress, parseEtcdAddress } from "../naming/etcd/address.js";
import type { EtcdNamingOptions } from "../naming/etcd/etcd-naming.js";
import type { Settings } from "./settings.js";

/** Which naming service a node uses, and how it reaches it. */
export type NamingConfig = "memory" | EtcdNamingOptions;

/** What {@link loadNaming} reads beside the settings. */
export interface NamingSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<string>;
  /** Where a setting was said, for messages. */
  readonly sourceOf: (key: keyof Settings) => string;
}

/** Variable with the password itself. */
export const NAMING_PASSWORD_VARIABLE = "ENOKI_NAMING_PASSWORD";

const OF_ETCD = ["namingPasswordFile", "namingCaFile", "namingCertFile", "namingKeyFile"] as const;

/**
 * Reads what the settings say of the naming service, with the files that they name.
 * @throws EnokiError `ENOKI_INVALID_CONFIG`, never with a secret in it
 */
export async function loadNaming(
  settings: Settings,
  sources: NamingSources,
): Promise<NamingConfig> {
  if (/^etcds?:\/\//.test(settings.naming)) return loadEtcd(settings, sources);
  if (settings.naming !== "memory") {
    throw invalid(sources.sourceOf("naming"), "expected memory or etcd://HOST:2379");
  }
  for (const key of OF_ETCD) {
    if (settings[key] !== undefined) {
      throw invalid(sources.sourceOf(key), "belongs to a naming service etcd://…");
    }
  }
  return "memory";
}

async function loadEtcd(settings: Settings, sources: NamingSources): Promise<EtcdNamingOptions> {
  const address = parseAddress(settings.naming, sources);
  const [ca, cert, key] = await Promise.all([
    readOptional("namingCaFile", settings, sources),
    readOptional("namingCertFile", settings, sources),
    readOptional("namingKeyFile", settings, sources),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    const [said, missing] =
      cert === undefined
        ? (["namingKeyFile", "--naming-cert-file"] as const)
        : (["namingCertFile", "--naming-key-file"] as const);
    throw invalid(sources.sourceOf(said), `needs ${missing} beside it`);
  }
  const isSecure = address.isSecure || ca !== undefined || cert !== undefined;
  return {
    endpoints: address.endpoints,
    root: address.root,
    ...(isSecure && { tls: { ca, cert, key } }),
    ...(address.user !== undefined && {
      user: { name: address.user, password: await passwordOf(address, settings, sources) },
    }),
  };
}

function parseAddress(text: string, { sourceOf }: NamingSources): EtcdAddress {
  try {
    return parseEtcdAddress(text);
  } catch (error) {
    throw error instanceof EnokiError ? invalid(sourceOf("naming"), error.message) : error;
  }
}

/** The file goes before the variable, and that before the address. */
async function passwordOf(
  address: EtcdAddress,
  settings: Settings,
  sources: NamingSources,
): Promise<string> {
  const fromFile = await readOptional("namingPasswordFile", settings, sources);
  const password =
    fromFile?.replace(/\r?\n$/, "") || sources.env[NAMING_PASSWORD_VARIABLE] || address.password;
  if (password !== undefined && password !== "") return password;
  throw invalid(
    sources.sourceOf("naming"),
    `the user needs a password: --naming-password-file or ${NAMING_PASSWORD_VARIABLE}`,
  );
}

async function readOptional(
  key: (typeof OF_ETCD)[number],
  settings: Settings,
  { readFile, sourceOf }: NamingSources,
): Promise<string | undefined> {
  const path = settings[key];
  if (path === undefined) return undefined;
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw invalid(sourceOf(key), `cannot read ${path} (${error.code ?? error.message})`);
  });
}

function invalid(source: string, detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_CONFIG", `${source}: ${detail}`);
}
