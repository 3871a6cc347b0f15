import { compareDots } from "../../core/dot.js";
import { decodeItem } from "../../core/item.js";
import {
  itemRowKey,
  parseDotRow,
  parseExpiryRow,
  ROW_PREFIX,
  type RowPair,
} from "../../core/rows.js";
import { equalBytes } from "../../base/bytes.js";
import type { SimNode } from "../cluster/node.js";
import type { OracleContext } from "./context.js";
import { vectorText } from "./texts.js";

/**
 * Once the last fault is mended, all members serve and become equal, byte by byte, and nothing is left
 * that only waited for others: no tombstones, no expired versions, no staging, no dead origins, nothing
 * on its way.
 */
export class Equality {
  readonly #at: OracleContext;

  constructor(at: OracleContext) {
    this.#at = at;
  }

  /** Why the cluster is not at rest and equal; `undefined` when it is. */
  whyNot(): string | undefined {
    const { members } = this.#at.naming.record;
    let first: { readonly node: SimNode; readonly vector: string } | undefined;
    for (const { node: name, epoch } of members) {
      const node = this.#at.nodes.find((one) => one.name === name) as SimNode;
      const replica = node.keygroup?.replica;
      if (!replica || replica.identity.epoch !== epoch || !replica.identity.isServing) {
        return `LIVENESS n${node.index} does not serve as ${epoch}`;
      }
      const vector = vectorText(replica.vector);
      if (replica.vector.size > members.length) {
        return `VECTOR n${node.index} lists ${vector}, which are too many`;
      }
      first ??= { node, vector };
      if (vector !== first.vector) return `VECTORS n${node.index} ${vector} | ${first.vector}`;
      if (!hasSameRows(node, first.node)) {
        return `ROWS n${node.index} ${difference(rowsText(node), rowsText(first.node))}`;
      }
      const left = leftoversText(node);
      if (left !== "") return `LEFTOVERS n${node.index} ${left}`;
    }
    return undefined;
  }
}

/** Rows of data and of what must be done with them: the same at all members. */
function isShared({ key }: RowPair): boolean {
  const prefix = key[0];
  return (
    prefix === ROW_PREFIX.item ||
    prefix === ROW_PREFIX.index ||
    prefix === ROW_PREFIX.garbage ||
    prefix === ROW_PREFIX.expiry
  );
}

function hasSameRows(left: SimNode, right: SimNode): boolean {
  if (left === right) return true;
  const lefts = left.disk.rows.all().filter(isShared);
  const rights = right.disk.rows.all().filter(isShared);
  if (lefts.length !== rights.length) return false;
  return lefts.every(({ key, value }, at) => {
    const other = rights[at] as RowPair;
    return equalBytes(key, other.key) && equalBytes(value, other.value);
  });
}

function rowsText(node: SimNode): string[] {
  return node.disk.rows.all().filter(isShared).map(rowText);
}

function rowText({ key, value }: RowPair): string {
  return `${key.join(".")}=${value.join(".")}`;
}

/**
 * Rows that list what should be gone. A delete that hides an older sibling stays until that is
 * resolved (decision 0013).
 */
function leftoversText(node: SimNode): string {
  const { rows } = node.disk;
  const isAwaited = (row: RowPair): boolean => {
    if (row.key[0] === ROW_PREFIX.staging) return false;
    const isGarbage = row.key[0] === ROW_PREFIX.garbage;
    const { dot, key } = isGarbage ? parseDotRow(row.key) : parseExpiryRow(row.key);
    const live = decodeItem(rows.get(itemRowKey(key)) ?? new Uint8Array(0));
    return live.some((version) => version.isSibling && compareDots(version.dot, dot) !== 0);
  };
  const isLeftover = (row: RowPair): boolean => {
    const prefix = row.key[0];
    const isListed =
      prefix === ROW_PREFIX.garbage ||
      prefix === ROW_PREFIX.expiry ||
      prefix === ROW_PREFIX.staging;
    return isListed && !isAwaited(row);
  };
  return rows.all().filter(isLeftover).map(rowText).join("\n");
}

/** Lines of which only one of the two has them. */
function difference(lefts: readonly string[], rights: readonly string[]): string {
  const here = lefts.filter((line) => !rights.includes(line));
  const there = rights.filter((line) => !lefts.includes(line));
  return `has ${here.join(" ")} and lacks ${there.join(" ")}`;
}
