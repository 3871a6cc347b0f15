import { EnokiError } from "../core/errors.js";

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
