import { Buffer } from "node:buffer";

import { EnokiError } from "../../core/errors.js";
import { parseKeygroupName, type KeygroupName } from "../../core/ids.js";

/** Number of the request that carries an operation of a function to a replica on another node. */
export const OPERATION_METHOD = 32;

/** An operation as an instance asked for it, and where it belongs. */
export interface OperationRequest {
  readonly keygroup: KeygroupName;
  /** 16 bytes of the invocation that asks; `undefined` outside a call. */
  readonly invocation: Uint8Array | undefined;
  /** Payload of the OPERATION frame. */
  readonly payload: Buffer;
}

const INVOCATION_BYTES = 16;

/** u8 length and name of the keygroup, u8 length and bytes of the invocation, payload. */
export function encodeOperation({ keygroup, invocation, payload }: OperationRequest): Uint8Array {
  const name = Buffer.from(keygroup, "latin1");
  const id = invocation ?? Buffer.alloc(0);
  return Buffer.concat([Buffer.of(name.length), name, Buffer.of(id.length), id, payload]);
}

/** @throws EnokiError `ENOKI_PROTOCOL`, `ENOKI_INVALID_NAME` */
export function decodeOperation(body: Uint8Array): OperationRequest {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const nameEnd = 1 + (bytes[0] ?? 0);
  const idLength = bytes[nameEnd];
  if (idLength !== 0 && idLength !== INVOCATION_BYTES) {
    throw new EnokiError("ENOKI_PROTOCOL", "an operation of another node is malformed");
  }
  const payloadAt = nameEnd + 1 + idLength;
  if (payloadAt > bytes.length) {
    throw new EnokiError("ENOKI_PROTOCOL", "an operation of another node is cut short");
  }
  return {
    keygroup: parseKeygroupName(bytes.toString("latin1", 1, nameEnd)),
    invocation: idLength === 0 ? undefined : bytes.subarray(nameEnd + 1, payloadAt),
    payload: bytes.subarray(payloadAt),
  };
}
