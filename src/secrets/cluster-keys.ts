import { createHmac, hkdfSync, randomBytes } from "node:crypto";

import { EnokiError } from "../core/errors.js";

/** A key that secrets are sealed with, under a name that tells nothing of it. */
export interface ClusterKey {
  /** 12 hexadecimal digits, made from the key itself: no two keys are taken for one another. */
  readonly id: string;
  /** 32 bytes for AES-256. */
  readonly sealing: Buffer;
}

const KEY_BYTES = 32;
const LINE = /^enoki-cluster-key:([A-Za-z0-9_-]{43})$/;
const HEADER =
  "# Opens the secrets of all functions: for the nodes of the cluster and nobody else.\n";

/** The text of a new key file, or of `before` with a new key that comes first and seals from now on. */
export function withNewKey(before = HEADER): string {
  const line = `enoki-cluster-key:${randomBytes(KEY_BYTES).toString("base64url")}\n`;
  const lines = before.split("\n");
  const at = lines.findIndex((text) => LINE.test(text.trim()));
  const place = at < 0 ? lines.length - 1 : at;
  return [...lines.slice(0, place), line + lines.slice(place).join("\n")].join("\n");
}

/**
 * Reads the keys of a file: the first one seals, all of them open.
 * @throws EnokiError `ENOKI_INVALID_CONFIG` naming `source` and the line, with nothing of the key in it
 */
export function parseClusterKeys(text: string, source: string): readonly ClusterKey[] {
  const keys: ClusterKey[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const [, encoded] = LINE.exec(trimmed) ?? [];
    if (encoded === undefined) throw invalid(source, `line ${index + 1} is no cluster key`);
    keys.push(toKey(Buffer.from(encoded, "base64url")));
  }
  if (keys.length === 0) throw invalid(source, "there is no cluster key in it");
  return keys;
}

function toKey(bytes: Buffer): ClusterKey {
  // why: name and sealing key come from it by different ways, so that the name tells nothing.
  const id = createHmac("sha256", bytes).update("enoki cluster key id").digest("hex").slice(0, 12);
  const sealing = Buffer.from(hkdfSync("sha256", bytes, "", "enoki secrets 1", KEY_BYTES));
  return { id, sealing };
}

function invalid(source: string, detail: string): EnokiError {
  const fix = "make a file with `enoki secrets init`";
  return new EnokiError("ENOKI_INVALID_CONFIG", `${source}: ${detail}; ${fix}`);
}
