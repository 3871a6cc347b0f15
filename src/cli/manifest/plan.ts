import { parseDurationMs } from "../../base/duration.js";
import { parseSizeBytes } from "../../base/size.js";
import { EnokiError } from "../../core/errors.js";
import type {
  FunctionConfig,
  FunctionInfo,
  GrantInfo,
  KeygroupInfo,
  KnownNode,
  SecretComparison,
} from "../../client/types.js";
import { planGrants } from "./grant-plan.js";
import type { Manifest, ManifestFunction, ManifestKeygroup } from "./manifest.js";
import { compareSecrets } from "./secret-plan.js";
import type { FoundSecret } from "./secret-sources.js";

/** One setting that is to change. */
export interface FieldChange {
  readonly field: string;
  /** `null` = not set. */
  readonly from: string | null;
  readonly to: string | null;
}

/** What is to be done with one function or keygroup. */
export interface PlannedChange {
  readonly kind: "function" | "keygroup" | "grant";
  readonly name: string;
  /** Of a grant: who has it on the keygroup of that name. */
  readonly to?: string;
  /** `leave` = the manifest names it no longer, but it stays. */
  readonly action: "create" | "change" | "none" | "remove" | "leave";
  readonly fields: readonly FieldChange[];
}

/** A function of a manifest with the hash of what would be deployed. */
export interface PackedFunction extends ManifestFunction {
  /** SHA-256 of its archive. */
  readonly archiveHash: string;
  readonly secrets: ReadonlyMap<string, FoundSecret>;
}

/** What a plan compares of a keygroup. */
export type KnownKeygroup = Pick<KeygroupInfo, "name" | "policy" | "durability" | "ttl">;

/** What a cluster has, as far as a plan needs it. */
export interface ClusterState {
  readonly functions: readonly FunctionInfo[];
  readonly keygroups: readonly KnownKeygroup[];
  /** Of the keygroups of the manifest that there are. */
  readonly grants: ReadonlyMap<string, readonly GrantInfo[]>;
  /** How the values of secrets stand to those that there are, by functions. */
  readonly secrets: ReadonlyMap<string, Readonly<Record<string, SecretComparison>>>;
  readonly nodes: readonly KnownNode[];
  /** Where the data of functions lie, by their names. */
  readonly placements: ReadonlyMap<string, string>;
}

const SHOWN_HASH_CHARACTERS = 8;

/**
 * Compares a manifest with what there is: keygroups first, then grants on them, then functions in their order, then what the
 * application had and the manifest names no longer.
 * @throws EnokiError `ENOKI_APPLICATION_CONFLICT` if a function is another application's,
 * `ENOKI_INVALID_MANIFEST` if the value of a secret is needed and nowhere
 */
export function makePlan(
  manifest: Pick<Manifest, "application" | "keygroups">,
  functions: readonly PackedFunction[],
  state: ClusterState,
  { prunes }: { readonly prunes: boolean },
): PlannedChange[] {
  const named = new Set(functions.map(({ name }) => name));
  const gone = state.functions.filter(
    ({ name, config }) => config.application === manifest.application && !named.has(name),
  );
  return [
    ...manifest.keygroups.map((keygroup) => planKeygroup(keygroup, state)),
    ...manifest.keygroups.flatMap((keygroup) => planGrants(keygroup, state, prunes)),
    ...functions.map((wanted) => planFunction(manifest.application, wanted, state, prunes)),
    ...gone.map(({ name }) => ({
      kind: "function" as const,
      name,
      action: prunes ? ("remove" as const) : ("leave" as const),
      fields: [],
    })),
  ];
}

function planKeygroup({ name, settings }: ManifestKeygroup, state: ClusterState): PlannedChange {
  const known = state.keygroups.find((keygroup) => keygroup.name === name);
  const fields = compare([
    ["policy", known?.policy, settings.policy],
    ["durability", known?.durability, settings.durability],
    ["ttl", known && (known.ttl ?? "none"), settings.ttl === null ? "none" : settings.ttl],
  ]);
  return { kind: "keygroup", name, action: actionOf(known, fields), fields };
}

function planFunction(
  application: string,
  wanted: PackedFunction,
  state: ClusterState,
  prunes: boolean,
): PlannedChange {
  const { name, config } = wanted;
  const known = state.functions.find((info) => info.name === name);
  const owner = known?.config.application;
  if (owner !== undefined && owner !== application) {
    const detail = `function ${name} belongs to the application ${owner}`;
    throw new EnokiError("ENOKI_APPLICATION_CONFLICT", detail);
  }
  const fields = [
    ...compareCode(known?.archive, wanted.archiveHash),
    ...compare([
      ["runtime", known?.runtime, config.runtime],
      ["application", known && (owner ?? "none"), application],
    ]),
    ...(known ? compareNodes(wanted, known, state) : []),
    ...compare([["data", state.placements.get(name), known?.nodes && wanted.data]]),
    ...compareConfig(known?.config, config),
    ...compareSecrets(wanted, known?.config.secrets ?? [], state.secrets.get(name) ?? {}, prunes),
  ];
  return { kind: "function", name, action: actionOf(known, fields), fields: known ? fields : [] };
}

function compareNodes(
  { nodes }: PackedFunction,
  known: FunctionInfo,
  state: ClusterState,
): FieldChange[] {
  if (nodes.length === 0 || known.nodes === undefined) return [];
  const now = known.nodes.map(({ node }) => node);
  const missing = nodesMeant(nodes, state.nodes).filter((node) => !now.includes(node));
  if (missing.length === 0) return [];
  const to = [...now, ...missing].sort().join(", ");
  return [{ field: "nodes", from: now.toSorted().join(", "), to }];
}

/** The nodes that names, labels and `all` mean now; a name that nobody has means itself. */
function nodesMeant(words: readonly string[], nodes: readonly KnownNode[]): string[] {
  const meant = words.flatMap((word) => {
    if (word === "all") return nodes.map(({ name }) => name);
    const at = word.indexOf("=");
    if (at < 0) return [word];
    const [label, value] = [word.slice(0, at), word.slice(at + 1)];
    return nodes.filter(({ labels }) => labels[label] === value).map(({ name }) => name);
  });
  return [...new Set(meant)];
}

function compareConfig(known: FunctionConfig | undefined, wanted: FunctionConfig): FieldChange[] {
  const number = (value: number | undefined) => value?.toString();
  return [
    ...compare([
      ["timeout", known?.timeout, wanted.timeout],
      ["memory", known?.memory, wanted.memory],
      ["cpu", known?.cpu, wanted.cpu],
      ["max-instances", number(known?.maxInstances), number(wanted.maxInstances)],
      ["concurrency", known && (number(known.concurrency) ?? "none"), number(wanted.concurrency)],
      ["isolation", known?.isolation, wanted.isolation],
      ["network", known?.network, wanted.network],
      ["access", known && (known.access ?? "none"), wanted.access],
      ["remote-writes", known && (known.remoteWrites ?? "awaited"), wanted.remoteWrites],
      [
        "triggers",
        known && triggersText(known.triggers),
        wanted.triggers && triggersText(wanted.triggers),
      ],
    ]),
    ...compareEnv(known?.env ?? {}, wanted.env ?? {}),
  ];
}

function triggersText(triggers: FunctionConfig["triggers"] = []): string {
  const texts = triggers.map(({ on, at }) => `${on} at ${at}`);
  return texts.sort().join(", ") || "none";
}

/** Names only: values may be secrets. */
function compareEnv(
  known: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): FieldChange[] {
  const names = [...new Set([...Object.keys(known), ...Object.keys(wanted)])].sort();
  const shown = (value: string | undefined) => (value === undefined ? null : "set");
  return names.flatMap((name) =>
    known[name] === wanted[name]
      ? []
      : [
          {
            field: `env.${name}`,
            from: shown(known[name]),
            to:
              wanted[name] !== undefined && known[name] !== undefined
                ? "changed"
                : shown(wanted[name]),
          },
        ],
  );
}

/** What differs of what is wanted; `undefined` = stays as it is. */
function compare(
  rows: readonly (readonly [field: string, from: string | undefined, to: string | undefined])[],
): FieldChange[] {
  return rows.flatMap(([field, from, to]) =>
    to === undefined || isSame(from, to) ? [] : [{ field, from: from ?? null, to }],
  );
}

/** Also true for two ways to write one duration, size or number. */
function isSame(left: string | undefined, right: string): boolean {
  if (left === undefined) return false;
  if (left === right) return true;
  for (const read of [parseDurationMs, parseSizeBytes, Number]) {
    const [a, b] = [read(left), read(right)];
    if (a !== undefined && !Number.isNaN(a) && a === b) return true;
  }
  return false;
}

function actionOf(known: unknown, fields: readonly FieldChange[]): PlannedChange["action"] {
  if (known === undefined) return "create";
  return fields.length === 0 ? "none" : "change";
}

function compareCode(known: string | undefined, wanted: string): FieldChange[] {
  if (known === wanted) return [];
  const shown = (hash: string): string => hash.slice(0, SHOWN_HASH_CHARACTERS);
  return [{ field: "code", from: known === undefined ? null : shown(known), to: shown(wanted) }];
}
