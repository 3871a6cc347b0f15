import {
  type FunctionName,
  type KeygroupName,
  type NodeName,
  parseFunctionName,
  parseKeygroupName,
  parseNodeName,
} from "../core/ids.js";

/** What the key of a record says. */
export type RecordKey =
  | { readonly kind: "node"; readonly node: NodeName }
  | { readonly kind: "function"; readonly function: FunctionName }
  | {
      readonly kind: "function-node";
      readonly function: FunctionName;
      readonly node: NodeName;
    }
  | { readonly kind: "keygroup"; readonly keygroup: KeygroupName }
  | { readonly kind: "token"; readonly token: string };

/** Key of a node's record. Names were checked and hold no separator. */
export function nodeKey(name: NodeName): string {
  return `nodes/${name}`;
}

export function functionKey(name: FunctionName): string {
  return `functions/${name}`;
}

export function functionNodeKey(name: FunctionName, node: NodeName): string {
  return `function-nodes/${name}/${node}`;
}

export function keygroupKey(name: KeygroupName): string {
  return `keygroups/${name}`;
}

/** Key of a token's record, by its id. */
export function tokenKey(id: string): string {
  return `tokens/${id}`;
}

/** 16 hexadecimal digits. */
export const TOKEN_ID = /^[0-9a-f]{16}$/;

/** Reads a key; `undefined` if it is none of ours. */
export function parseRecordKey(key: string): RecordKey | undefined {
  const [folder, name, node, ...rest] = key.split("/");
  try {
    if (rest.length > 0 || (node !== undefined) !== (folder === "function-nodes")) return undefined;
    if (folder === "nodes") return { kind: "node", node: parseNodeName(name) };
    if (folder === "functions") return { kind: "function", function: parseFunctionName(name) };
    if (folder === "keygroups") return { kind: "keygroup", keygroup: parseKeygroupName(name) };
    if (folder === "tokens") {
      return TOKEN_ID.test(name ?? "") ? { kind: "token", token: name as string } : undefined;
    }
    if (folder !== "function-nodes") return undefined;
    return {
      kind: "function-node",
      function: parseFunctionName(name),
      node: parseNodeName(node),
    };
  } catch {
    return undefined;
  }
}
