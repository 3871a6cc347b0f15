import { OPERATION } from "../channel/frames.js";
import { decodeFresh, decodeJsonOperation, operationKind } from "../channel/operations.js";
import type { Right } from "../core/rights.js";

const READ: readonly Right[] = ["read"];
const WRITE: readonly Right[] = ["write"];
/** Their replies tell what is there now. */
const BOTH: readonly Right[] = ["read", "write"];
const NONE: readonly Right[] = [];

const OF_JSON: Readonly<Record<string, readonly Right[]>> = {
  get: READ,
  entry: READ,
  exists: READ,
  getMany: READ,
  siblings: READ,
  "counter.value": READ,
  "set.value": READ,
  "map.value": READ,
  watch: READ,
  unwatch: NONE,
  increment: BOTH,
  "counter.add": BOTH,
  "map.add": BOTH,
};

/** The rights that the operation of an OPERATION frame takes. @throws ChannelError for no operation */
export function rightsOfOperation(payload: Buffer): readonly Right[] {
  const kind = operationKind(payload);
  switch (kind) {
    case OPERATION.json:
      return rightsOfJson(decodeJsonOperation(payload)["op"]);
    case OPERATION.fresh:
      return rightsOfOperation(decodeFresh(payload).read);
    case OPERATION.set:
    case OPERATION.delete:
    case OPERATION.batch:
      return WRITE;
    default:
      return READ;
  }
}

/** The same of a JSON operation, by its `op`; whatever is not known counts as a write. */
export function rightsOfJson(op: unknown): readonly Right[] {
  return typeof op === "string" && Object.hasOwn(OF_JSON, op)
    ? (OF_JSON[op] as readonly Right[])
    : WRITE;
}
