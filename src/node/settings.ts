import * as z from "zod";

import { parseNodeName } from "../core/ids.js";
import { isLabel } from "../core/labels.js";
import { LIMITS } from "../core/limits.js";
import { sizeField, timerField } from "../input/fields.js";

/** What a setting is called where it is shown, and what it is for. */
interface About {
  /** Placeholder of the flag's value; a flag without one takes none. */
  readonly value?: string;
  readonly description: string;
  /** Shown instead of the default, where that depends on something. */
  readonly shownDefault?: string;
  /** Name of the flag, where it is given once for each of several values. */
  readonly oneFlag?: string;
}

const PORT_MAX = 65_535;

/** A port: a number, `0` for any that is free, or `off`, which is read as `undefined`. */
const port = z
  .union([z.string(), z.number()], { error: "expected a port, 0 for any free one, or off" })
  .transform((given, context) => {
    if (given === "off") return undefined;
    const number = /^\d{1,5}$/.test(String(given)) ? Number(given) : Number.NaN;
    if (number >= 0 && number <= PORT_MAX) return number;
    context.addIssue(`${JSON.stringify(given)} is no port: use a number, 0 for any, or off`);
    return z.NEVER;
  });

const yesOrNo = z
  .union([z.boolean(), z.enum(["true", "false", "1", "0"])], { error: "expected true or false" })
  .transform((given) => given === true || given === "true" || given === "1");

const nodeName = z.string({ error: "expected a name" }).transform((given, context) => {
  try {
    return parseNodeName(given);
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

/** Names with commas between them, each once. */
const nodeNames = z
  .string({ error: "expected names with commas between them" })
  .transform((given) => given.split(",").map((name) => name.trim()))
  .pipe(z.array(nodeName))
  .refine((names) => new Set(names).size === names.length, { error: "a name stands there twice" });

/** `NAME=VALUE` with commas between them, a list of them, or a mapping. */
const labels = z
  .union(
    [
      z.string(),
      z.array(z.string()),
      z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    ],
    { error: "expected NAME=VALUE with commas between them" },
  )
  .transform((given, context) => {
    const words =
      typeof given === "string" || Array.isArray(given)
        ? [given].flat().flatMap((some) => some.split(","))
        : Object.entries(given).map(([name, value]) => `${name}=${String(value)}`);
    const read: Record<string, string> = {};
    for (const word of words.map((one) => one.trim())) {
      const [name = "", value = ""] = word.split("=", 2);
      if (!isLabel(word))
        context.addIssue(`${JSON.stringify(word)} is no label such as zone=north`);
      else if (name in read) context.addIssue(`the label ${name} stands there twice`);
      read[name] = value;
    }
    return read;
  });

const text = z.string({ error: "expected text" }).min(1, "must not be empty");

const advertised = text.regex(/^(?:none|.+:\d{1,5})$/, "expected HOST:PORT or none");

const collector = text.refine((given) => given === "off" || isCollectorUrl(given), {
  error: "expected the address of a collector, such as http://127.0.0.1:4318, or off",
});

const ratio = z
  .union([z.number(), z.string()], { error: "expected a number from 0 to 1" })
  .transform((given) => (given === "" ? Number.NaN : Number(given)))
  .refine((share) => share >= 0 && share <= 1, { error: "expected a number from 0 to 1" });

const bodyLimit = sizeField.refine((sizeBytes) => sizeBytes <= LIMITS.requestBodyBytesMax, {
  error: "at most 16m",
});

/**
 * Every setting of `enoki up`, once: flags, `ENOKI_*`, `node.yaml` and the reference page all come
 * from here. A setting `drainTimeoutMs` is `--drain-timeout`, `ENOKI_DRAIN_TIMEOUT` and
 * `drain-timeout`.
 */
export const settingsSchema = z.strictObject({
  name: nodeName.prefault("node").meta({ value: "id", description: "name of the node" }),
  nodes: nodeNames.optional().meta({
    value: "names",
    description: "several nodes in this process, such as cloud,edge1,edge2; ports count up",
  }),
  labels: labels.prefault({}).meta({
    value: "name=value",
    description: "label of the node, for enoki deploy --to NAME=VALUE; the flag is repeatable",
    oneFlag: "--label",
    shownDefault: "",
  }),
  dataDir: text.prefault(".enoki").meta({ value: "dir", description: "where everything is kept" }),
  host: text.prefault("127.0.0.1").meta({ value: "host", description: "address to listen on" }),
  functionPort: port.prefault(8000).meta({ value: "port", description: "calls of functions" }),
  adminPort: port.prefault(8080).meta({ value: "port", description: "the admin API" }),
  linkPort: port.prefault(7000).meta({
    value: "port",
    description: "links to other nodes, with --naming etcd://…; off: this node only dials out",
  }),
  linkCert: text.optional().meta({
    value: "file",
    description: "certificate that names this node on links, from enoki certs issue",
  }),
  linkKey: text.optional().meta({ value: "file", description: "private key of --link-cert" }),
  linkCa: text.optional().meta({
    value: "file",
    description: "authority whose certificates other nodes must show, from enoki certs init",
  }),
  coapPort: port.prefault("off").meta({ value: "port", description: "calls over CoAP, on UDP" }),
  grpcPort: port.prefault("off").meta({ value: "port", description: "calls over gRPC" }),
  tinyfaas: yesOrNo.prefault(false).meta({
    description: "tinyFaaS's ports: 8000 and 8080, 5683 for CoAP and 9000 for gRPC",
  }),
  advertise: advertised.optional().meta({
    value: "host:port",
    description: "address that other nodes reach this one by, or none: this node only dials out",
    shownDefault: "where it listens",
  }),
  naming: text.prefault("memory").meta({
    value: "service",
    description: "naming service: memory, or etcd://[USER@]HOST:2379[,…][/ROOT], etcds:// with TLS",
  }),
  namingPasswordFile: text.optional().meta({
    value: "file",
    description: "password of etcd's user; or give it in ENOKI_NAMING_PASSWORD",
  }),
  namingCaFile: text.optional().meta({
    value: "file",
    description: "PEM of the authority that etcd's certificate must be of",
    shownDefault: "the system's, with etcds://",
  }),
  namingCertFile: text
    .optional()
    .meta({ value: "file", description: "PEM of the node's certificate, if etcd asks for one" }),
  namingKeyFile: text.optional().meta({ value: "file", description: "PEM of its key" }),
  storage: z.enum(["lmdb", "memory"]).prefault("lmdb").meta({
    value: "driver",
    description: "lmdb, or memory, which forgets all data when the node ends",
  }),
  durability: z.enum(["relaxed", "strict"]).prefault("relaxed").meta({
    value: "level",
    description: "of new keygroups: relaxed, or strict, which syncs before it acknowledges",
  }),
  isolation: z.enum(["auto", "sandbox", "process"]).prefault("auto").meta({
    value: "kind",
    description: "of functions that name none: sandbox, process, or auto: sandbox where it works",
  }),
  functions: z.enum(["public", "token"]).optional().meta({
    value: "access",
    description:
      "who may call functions that do not say so: public = everybody, token = with a token",
    shownDefault: "public on loopback, else it must be said",
  }),
  adminTokenFile: text.optional().meta({
    value: "file",
    description: "file with a token that is good for everything; or give it in ENOKI_ADMIN_TOKEN",
  }),
  clusterKeyFile: text.optional().meta({
    value: "file",
    description: "keys that secrets of functions are sealed with, from enoki secrets init",
    shownDefault: "a node alone makes cluster-key in its data directory",
  }),
  allowUploadUrl: yesOrNo
    .prefault(false)
    .meta({ description: "allow tinyFaaS's /uploadURL, which lets the node fetch any address" }),
  bodyLimitBytes: bodyLimit
    .prefault("16m")
    .meta({ value: "size", description: "largest body of a call, at most 16m" }),
  drainTimeoutMs: timerField
    .prefault("10s")
    .meta({ value: "duration", description: "time that running calls get when the node ends" }),
  instanceIdleMs: timerField
    .prefault("30s")
    .meta({ value: "duration", description: "an instance without calls for so long is stopped" }),
  logFormat: z
    .enum(["text", "json"])
    .prefault("text")
    .meta({ value: "format", description: "format of the node's log: text or json" }),
  otlp: collector.optional().meta({
    value: "url",
    description: "OpenTelemetry collector that gets traces, by OTLP over HTTP; or off",
    shownDefault: "off, or OTEL_EXPORTER_OTLP_ENDPOINT",
  }),
  traceRatio: ratio.prefault(1).meta({
    value: "share",
    description: "share of the traces that begin here and are recorded, from 0 to 1",
    shownDefault: "1, or OTEL_TRACES_SAMPLER",
  }),
  json: yesOrNo
    .prefault(false)
    .meta({ description: "print one line of JSON with the addresses once the node is ready" }),
  config: text.optional().meta({ value: "file", description: "settings in YAML" }),
});

/** What the schema makes of the settings. */
export type Settings = z.output<typeof settingsSchema>;

/** A setting as it is called everywhere. */
export interface SettingDescription {
  /** Name in {@link Settings}. */
  readonly key: keyof Settings;
  /** Name in `node.yaml`, and of the flag without its dashes. */
  readonly name: string;
  readonly flag: string;
  readonly env: string;
  /** Placeholder of the flag's value; `undefined` for a flag that takes none. */
  readonly value: string | undefined;
  readonly shownDefault: string;
  readonly description: string;
  /** The flag may be given several times. */
  readonly isRepeatable: boolean;
}

/** All settings in the order in which they are shown. */
export function describeSettings(): readonly SettingDescription[] {
  return Object.entries(settingsSchema.shape).map(([key, field]) => {
    const about = field.meta() as unknown as About;
    const name = key.replace(/(?:Ms|Bytes)$/, "").replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    return {
      key: key as keyof Settings,
      name,
      flag: about.oneFlag ?? `--${name}`,
      env: `ENOKI_${name.toUpperCase().replaceAll("-", "_")}`,
      value: about.value,
      shownDefault: about.shownDefault ?? shownDefault(field),
      description: about.description,
      isRepeatable: about.oneFlag !== undefined,
    };
  });
}

/** True for an address that spans can be posted to. */
export function isCollectorUrl(given: string): boolean {
  return /^https?:\/\/./i.test(given) && URL.canParse(given);
}

function shownDefault(field: z.ZodType): string {
  return field instanceof z.ZodPrefault ? String(field.def.defaultValue) : "";
}
