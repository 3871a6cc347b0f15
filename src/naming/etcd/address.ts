import { EnokiError } from "../../core/errors.js";

/** One member of an etcd cluster. */
export interface EtcdEndpoint {
  readonly host: string;
  readonly port: number;
}

/** What `--naming etcd://…` says. */
export interface EtcdAddress {
  readonly endpoints: readonly EtcdEndpoint[];
  /** `etcds://`: TLS, by the system's authorities if no others are named. */
  readonly isSecure: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** First part of every key: several clusters of Enoki can share an etcd. */
  readonly root: string;
}

const DEFAULT_PORT = 2379;
const DEFAULT_ROOT = "enoki";
const ADDRESS = /^(etcds?):\/\/(?:([^@/]*)@)?([^@/]+)(?:\/(.*))?$/;
const ENDPOINT = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s[\]:]+))(?::(\d{1,5}))?$/;

/**
 * Reads `etcd://[USER[:PASSWORD]@]HOST[:PORT][,…][/ROOT]`; the user and the password are
 * percent-encoded.
 * @throws EnokiError `ENOKI_INVALID_CONFIG`, never with the password in it
 */
export function parseEtcdAddress(text: string): EtcdAddress {
  const [, scheme, credentials, hosts = "", root] = ADDRESS.exec(text) ?? [];
  if (scheme === undefined) throw invalid("expected etcd://HOST:2379[,HOST:2379…]");
  const [user, password] = splitCredentials(credentials);
  if (root !== undefined && !/^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/.test(root)) {
    throw invalid("what follows the / is a name of letters, digits and hyphens");
  }
  return {
    endpoints: hosts.split(",").map(parseEndpoint),
    isSecure: scheme === "etcds",
    user,
    password,
    root: root ?? DEFAULT_ROOT,
  };
}

function splitCredentials(
  credentials: string | undefined,
): readonly [user: string | undefined, password: string | undefined] {
  if (credentials === undefined) return [undefined, undefined];
  const colon = credentials.indexOf(":");
  try {
    const user = decodeURIComponent(colon < 0 ? credentials : credentials.slice(0, colon));
    if (user === "") throw invalid("the user before the @ is missing");
    return [user, colon < 0 ? undefined : decodeURIComponent(credentials.slice(colon + 1))];
  } catch (error) {
    if (error instanceof EnokiError) throw error;
    throw invalid("the user and the password must be percent-encoded");
  }
}

function parseEndpoint(text: string): EtcdEndpoint {
  const [, literal, name, portText] = ENDPOINT.exec(text) ?? [];
  const host = literal ?? name;
  const port = Number(portText ?? DEFAULT_PORT);
  if (host === undefined || port < 1 || port > 65_535) {
    throw invalid(`${JSON.stringify(text)} is no HOST:PORT`);
  }
  return { host, port };
}

/** An endpoint as it is shown. */
export function showEndpoint({ host, port }: EtcdEndpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_CONFIG", detail);
}
