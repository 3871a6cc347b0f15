import { EnokiError } from "../../core/errors.js";

/** What a trigger `mqtt://…` says. */
export interface MqttAddress {
  readonly host: string;
  readonly port: number;
  /** `mqtts://`: TLS, by the authorities that Node knows. */
  readonly isSecure: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** The secret of the function that holds the password, where the address names one. */
  readonly passwordSecret: string | undefined;
  /** The topics, with `+` and `#` as MQTT has them. */
  readonly filter: string;
}

const PORT = 1883;
const SECURE_PORT = 8883;
const FILTER_BYTES_MAX = 65_535;
const TEXT_BYTES_MAX = 65_535;
const SHAPE = /^(mqtts?):\/\/([^/]*)\/(.*)$/s;
/** A password that is a secret's name: `{NAME}`. */
const SECRET_PASSWORD = /^([^:@]*):\{([A-Za-z_]\w*)\}@/;

/**
 * Reads `mqtt://[USER[:PASSWORD]@]BROKER[:PORT]/TOPIC`, or `mqtts://…`. User, password and topic are
 * percent-encoded; in the topic that is needed for `%` alone. `{NAME}` in place of the password is the
 * function's secret of that name.
 * @throws EnokiError `ENOKI_INVALID_TRIGGER`, never with the password in it
 */
export function parseMqttAddress(text: string): MqttAddress {
  const [, scheme, authority = "", topic = ""] = SHAPE.exec(text) ?? [];
  if (scheme === undefined) throw invalid("expected mqtt://BROKER[:PORT]/TOPIC");
  const passwordSecret = SECRET_PASSWORD.exec(authority)?.[2];
  const url = parseAuthority(`${scheme}://${authority.replace(SECRET_PASSWORD, "$1:secret@")}`);
  const isSecure = scheme === "mqtts";
  const user = decoded(url.username, "the user");
  const password = decoded(url.password, "the password");
  if (user === "" && password !== "") throw invalid("the user before the password is missing");
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (isSecure ? SECURE_PORT : PORT) : Number(url.port),
    isSecure,
    user: user === "" ? undefined : user,
    password: password === "" || passwordSecret !== undefined ? undefined : password,
    passwordSecret,
    filter: checkFilter(decoded(topic, "the topic")),
  };
}

/** The address as it may be shown: without the password. Of one that is wrong more is left out. */
export function showMqttAddress(text: string): string {
  try {
    if (parseMqttAddress(text).passwordSecret !== undefined) return text;
    return text.replace(/^(mqtts?:\/\/[^:/@]*):[^/]*@/, "$1:***@");
  } catch {
    return text.replace(/^(mqtts?:\/*[^:/@]*):.*@/s, "$1:***@");
  }
}

/** `HOST:PORT`. */
export function showBroker({ host, port }: Pick<MqttAddress, "host" | "port">): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function parseAuthority(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw invalid("what stands before the topic is no [USER[:PASSWORD]@]BROKER[:PORT]");
  }
  if (url.hostname === "") throw invalid("the broker is missing");
  if (url.port === "0") throw invalid("a port is a number from 1 to 65535");
  if (url.search !== "" || url.hash !== "") throw invalid("the topic is missing");
  return url;
}

function decoded(text: string, what: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw invalid(`${what} must be percent-encoded: a % alone is %25`);
  }
  if (Buffer.byteLength(plain) > TEXT_BYTES_MAX) throw invalid(`${what} is too long`);
  return plain;
}

/** MQTT 3.1.1, section 4.7. */
function checkFilter(filter: string): string {
  if (filter === "") throw invalid("the topic is missing: mqtt://BROKER/TOPIC, or # for all");
  if (filter.includes("\0")) throw invalid("a topic has no character 0");
  if (Buffer.byteLength(filter) > FILTER_BYTES_MAX) throw invalid("the topic is too long");
  const levels = filter.split("/");
  for (const [index, level] of levels.entries()) {
    if (level.includes("+") && level !== "+") {
      throw invalid(`+ stands for a whole level of a topic, not within ${JSON.stringify(level)}`);
    }
    if (level.includes("#") && (level !== "#" || index !== levels.length - 1)) {
      throw invalid("# stands for all that follows: alone in its level, and at the end");
    }
  }
  return filter;
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_TRIGGER", detail);
}
