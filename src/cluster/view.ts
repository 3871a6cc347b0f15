import type { FunctionName, KeygroupName, NodeName } from "../core/ids.js";
import { targetNodes } from "./function-changes.js";
import type { AnyRecord, RecordsByKind } from "./record-codec.js";
import { functionKey, functionNodeKey, keygroupKey, nodeKey, tokenKey } from "./record-keys.js";
import type {
  ClusterFunctionRecord,
  FunctionNodeRecord,
  FunctionNodeState,
  KeygroupRecord,
  NodeRecord,
  TokenRecord,
} from "./records.js";

/** A node that is or was there. */
export interface KnownNode {
  readonly record: NodeRecord;
  /** Its record is there, under its lease. False also for all nodes until naming has been heard. */
  readonly isPresent: boolean;
}

/** How far the current revision of a function is on one node. */
export interface FunctionProgress {
  readonly node: NodeName;
  readonly isPresent: boolean;
  readonly state: FunctionNodeState;
  /** The revision that serves there; 0 = none. */
  readonly serving: number;
  readonly reason: string | undefined;
}

/** What a node knows of the global configuration: lookups, and which record is newer. */
export class View {
  readonly #records = new Map<string, AnyRecord>();
  readonly #present = new Set<NodeName>();

  get(key: string): AnyRecord | undefined {
    return this.#records.get(key);
  }

  set(key: string, record: AnyRecord): void {
    this.#records.set(key, record);
  }

  forget(key: string): void {
    this.#records.delete(key);
  }

  keys(): string[] {
    return [...this.#records.keys()];
  }

  isPresent(name: NodeName): boolean {
    return this.#present.has(name);
  }

  setPresent(name: NodeName, isPresent: boolean): void {
    if (isPresent) this.#present.add(name);
    else this.#present.delete(name);
  }

  nodes(): KnownNode[] {
    return this.#ofKind("node").map((record) => ({
      record,
      isPresent: this.isPresent(record.name),
    }));
  }

  node(name: NodeName): KnownNode | undefined {
    const known = this.#records.get(nodeKey(name));
    if (known?.kind !== "node") return undefined;
    return { record: known.record, isPresent: this.isPresent(name) };
  }

  /** Functions that were removed are among them. */
  functions(): ClusterFunctionRecord[] {
    return this.#ofKind("function");
  }

  function(name: FunctionName): ClusterFunctionRecord | undefined {
    const known = this.#records.get(functionKey(name));
    return known?.kind === "function" ? known.record : undefined;
  }

  functionNodes(name: FunctionName): FunctionNodeRecord[] {
    return this.#ofKind("function-node").filter((record) => record.function === name);
  }

  functionNode(name: FunctionName, node: NodeName): FunctionNodeRecord | undefined {
    const known = this.#records.get(functionNodeKey(name, node));
    return known?.kind === "function-node" ? known.record : undefined;
  }

  /** How far a function is on each node that is to run it. */
  functionProgress(name: FunctionName): FunctionProgress[] {
    const record = this.function(name);
    if (record === undefined) return [];
    const present = this.nodes().filter(({ isPresent }) => isPresent);
    return targetNodes(
      record,
      present.map((known) => known.record),
    ).map((node) => {
      const said = this.functionNode(name, node);
      const isOfCurrent = said?.revision === record.current;
      return {
        node,
        isPresent: this.isPresent(node),
        state: isOfCurrent ? said.state : "pending",
        serving: said?.serving ?? 0,
        reason: isOfCurrent ? said.reason : undefined,
      };
    });
  }

  /** Keygroups that were dropped are among them. */
  keygroups(): KeygroupRecord[] {
    return this.#ofKind("keygroup");
  }

  keygroup(name: KeygroupName): KeygroupRecord | undefined {
    const known = this.#records.get(keygroupKey(name));
    return known?.kind === "keygroup" ? known.record : undefined;
  }

  /** Tokens that were revoked are among them. */
  tokens(): TokenRecord[] {
    return this.#ofKind("token");
  }

  token(id: string): TokenRecord | undefined {
    const known = this.#records.get(tokenKey(id));
    return known?.kind === "token" ? known.record : undefined;
  }

  /** Nodes that some keygroup or function names: what is known of them is kept while they are away. */
  namedNodes(): Set<NodeName> {
    const named = new Set<NodeName>();
    for (const { members } of this.keygroups()) for (const { node } of members) named.add(node);
    for (const { targets } of this.functions()) for (const node of targets.nodes) named.add(node);
    return named;
  }

  /** In order of their keys. */
  #ofKind<K extends keyof RecordsByKind>(kind: K): RecordsByKind[K][] {
    const found = [...this.#records.entries()].filter(([, known]) => known.kind === kind);
    found.sort(([a], [b]) => (a < b ? -1 : 1));
    return found.map(([, { record }]) => record as RecordsByKind[K]);
  }
}

/** True if `candidate` is a later state of the same lasting record. */
export function isNewer(candidate: AnyRecord, known: AnyRecord | undefined): boolean {
  if (known === undefined) return true;
  if (candidate.kind === "keygroup" && known.kind === "keygroup") {
    const [next, last] = [candidate.record, known.record];
    if (next.generation !== last.generation) return next.generation > last.generation;
    if (next.epoch !== last.epoch) return next.epoch > last.epoch;
    return next.serial > last.serial;
  }
  if (candidate.kind === "function" && known.kind === "function") {
    return candidate.record.serial > known.record.serial;
  }
  if (candidate.kind === "token" && known.kind === "token") {
    return candidate.record.serial > known.record.serial;
  }
  return true;
}
