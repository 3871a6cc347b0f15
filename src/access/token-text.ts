import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import type { TokenRecord } from "../cluster/records.js";

const ID_BYTES = 8;
/** 256 bits cannot be guessed, so that one plain hash of them keeps them secret. */
const SECRET_BYTES = 32;
const TEXT = /^enoki_([0-9a-f]{16})_[0-9a-f]{64}$/;

/** A new token: its text is shown once and kept nowhere. */
export interface NewToken {
  readonly id: string;
  /** `enoki_ID_SECRET`. */
  readonly text: string;
  /** Of the text, in hexadecimal digits. */
  readonly hash: string;
}

/** Makes a token of random bits. */
export function newToken(): NewToken {
  const id = randomBytes(ID_BYTES).toString("hex");
  const text = `enoki_${id}_${randomBytes(SECRET_BYTES).toString("hex")}`;
  return { id, text, hash: sha256(text).toString("hex") };
}

/** The id in the text of a token; `undefined` for what no token looks like. */
export function tokenIdOf(text: string): string | undefined {
  return TEXT.exec(text)?.[1];
}

/** True if `text` is that token. The time it takes says nothing about the rest of it. */
export function isTokenText(text: string, { hash }: Pick<TokenRecord, "hash">): boolean {
  return timingSafeEqual(sha256(text), Buffer.from(hash, "hex"));
}

/** Compares two secrets of any length; the time it takes says nothing about how much is equal. */
export function isSameSecret(left: string, right: string): boolean {
  // Digests have one length, so that nothing tells the length of a guess apart.
  return timingSafeEqual(sha256(left), sha256(right));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
