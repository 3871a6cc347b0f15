import { createHash, timingSafeEqual } from "node:crypto";

import { EnokiError } from "../core/errors.js";

/**
 * Makes the check of an `Authorization` header against the node's token. Without a token
 * everybody passes. The time it takes says nothing about how much of a guess was right.
 */
export function createTokenCheck(
  token: string | undefined,
): (authorization: string | undefined) => void {
  if (token === undefined) return () => {};
  const expected = sha256(token);
  return (authorization) => {
    const sent = /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (sent === undefined) {
      throw new EnokiError("ENOKI_UNAUTHORIZED", "this needs Authorization: Bearer TOKEN");
    }
    if (!timingSafeEqual(sha256(sent), expected)) {
      throw new EnokiError("ENOKI_UNAUTHORIZED", "the token is wrong");
    }
  };
}

/** Digests have one length, so that comparing them needs no look at the length of a guess. */
function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Refuses requests that a web page from elsewhere makes a browser send. A node without a token
 * trusts whoever reaches its loopback port; every page that its owner visits would be one of them.
 * A page whose own name was pointed at this machine counts as of this origin, but names itself in
 * `Host`. Without a token a node listens on loopback only, so no other name is right there.
 * @throws EnokiError `ENOKI_FORBIDDEN`
 */
export function refuseForeignPages(headers: Headers): void {
  const site = headers.get("sec-fetch-site");
  const origin = headers.get("origin");
  const host = headers.get("host");
  const isForeign =
    site === "cross-site" ||
    (origin !== null && !LOOPBACK.test(hostnameOf(origin))) ||
    (host !== null && !LOOPBACK.test(hostnameOf(`http://${host}`)));
  if (isForeign) {
    throw new EnokiError(
      "ENOKI_FORBIDDEN",
      "a node without a token takes no requests of web pages, and none for another host",
    );
  }
}

function hostnameOf(origin: string): string {
  return URL.canParse(origin) ? new URL(origin).hostname : "";
}
