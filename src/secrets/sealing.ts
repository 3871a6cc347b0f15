import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

import { EnokiError } from "../core/errors.js";
import type { FunctionName } from "../core/ids.js";
import type { ClusterKey } from "./cluster-keys.js";

/** Which variable of which function a secret is. It opens as that one and as no other. */
export interface SecretPlace {
  readonly function: FunctionName;
  readonly name: string;
}

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^v1\.([0-9a-f]{12})\.([A-Za-z0-9_-]{38,})$/;

/** Seals a value as text: `v1.KEY.BYTES`, the bytes being nonce, ciphertext and tag in base64url. */
export function sealSecret(key: ClusterKey, place: SecretPlace, value: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key.sealing, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(key.id, place));
  const sealed = Buffer.concat([
    nonce,
    cipher.update(value, "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `v1.${key.id}.${sealed.toString("base64url")}`;
}

/**
 * Opens what {@link sealSecret} made for the same place.
 * @throws EnokiError `ENOKI_SECRET_UNREADABLE`, which names the key and never the value
 */
export function openSecret(
  find: (id: string) => ClusterKey | undefined,
  place: SecretPlace,
  sealed: string,
): string {
  const [, id, encoded] = SEALED.exec(sealed) ?? [];
  if (id === undefined || encoded === undefined) {
    throw unreadable(place, undefined, "it has a form that this version of Enoki cannot read");
  }
  const key = find(id);
  if (key === undefined) {
    const way = "start the node with a --cluster-key-file that has it, or set the secret anew";
    throw unreadable(place, id, `it is sealed with the key ${id}, which this node lacks: ${way}`);
  }
  const bytes = Buffer.from(encoded, "base64url");
  const decipher = createDecipheriv(CIPHER, key.sealing, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(boundTo(id, place));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString("utf8");
  } catch {
    const what = "its sealed text was changed, or is that of another function or variable";
    throw unreadable(place, id, `${what}: set the secret anew`);
  }
}

/** The key that a sealed text names; `undefined` if it has no form that is known. */
export function keyIdOf(sealed: string): string | undefined {
  return SEALED.exec(sealed)?.[1];
}

function boundTo(keyId: string, place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify(["enoki secret", 1, keyId, place.function, place.name]));
}

function unreadable(place: SecretPlace, key: string | undefined, why: string): EnokiError {
  const { function: owner, name } = place;
  const detail = `secret ${name} of function "${owner}": ${why}`;
  const extra = { secret: name, ...(key === undefined ? {} : { key }) };
  return new EnokiError("ENOKI_SECRET_UNREADABLE", detail, extra);
}
