import { randomFillSync } from "node:crypto";

import type { InvocationId } from "../core/ids.js";

const ID_BYTES = 16;
const POOL_IDS = 512;

/** A fresh invocation id with its bytes. */
export interface FreshInvocationId {
  readonly id: InvocationId;
  readonly bytes: Buffer;
}

/** Makes invocation ids of 128 random bits, drawing randomness for many at a time. */
export function createInvocationIds(): () => FreshInvocationId {
  let pool = Buffer.alloc(0);
  let offset = 0;
  return () => {
    if (offset === pool.length) {
      // A new pool each time: ids handed out keep views of the old one.
      pool = randomFillSync(Buffer.allocUnsafeSlow(ID_BYTES * POOL_IDS));
      offset = 0;
    }
    const bytes = pool.subarray(offset, offset + ID_BYTES);
    offset += ID_BYTES;
    return { id: bytes.toString("hex") as InvocationId, bytes };
  };
}
