import { X509Certificate } from "node:crypto";
import { createSecureContext, type PeerCertificate } from "node:tls";

import { EnokiError } from "../core/errors.js";
import { NODE_URI_PREFIX, parseNodeName, type NodeName } from "../core/ids.js";

/** Key, certificate and authority of a node, in PEM. */
export interface LinkCredentials {
  readonly cert: string;
  readonly key: string;
  /** Who may issue certificates of peers. */
  readonly ca: string;
}

/**
 * The node that a certificate names: its one alternative name `urn:enoki:node:NAME`; `undefined` if
 * there is none, or more than one.
 */
export function certifiedNode(alternativeNames: string | undefined): NodeName | undefined {
  // why: Node quotes what could be taken for several names; no certificate of a node needs that.
  if (alternativeNames === undefined || alternativeNames.includes('"')) return undefined;
  const prefix = `URI:${NODE_URI_PREFIX}`;
  const named = alternativeNames.split(", ").filter((name) => name.startsWith(prefix));
  const [only] = named;
  if (only === undefined || named.length > 1) return undefined;
  try {
    return parseNodeName(only.slice(prefix.length));
  } catch {
    return undefined;
  }
}

/**
 * Checks what a node is to prove its own name with, so that a wrong file is found at the start and
 * not by every peer. @throws EnokiError `ENOKI_INVALID_CONFIG`
 */
export function checkCredentials(
  credentials: LinkCredentials,
  node: NodeName,
  nowMs: number,
): void {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(credentials.cert);
    createSecureContext(tlsOptions(credentials));
  } catch (error) {
    const reason = (error as Error).message;
    throw invalid(`--link-cert, --link-key and --link-ca cannot be used together: ${reason}`);
  }
  const named = certifiedNode(certificate.subjectAltName);
  if (named !== node) {
    throw invalid(`--link-cert names ${named ?? "no node"}, and this node is ${node}`);
  }
  if (Date.parse(certificate.validTo) <= nowMs) {
    throw invalid(`--link-cert expired on ${certificate.validTo}`);
  }
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_CONFIG", detail);
}

/** Options of TLS that both ends share: only TLS 1.3, and only peers with a certificate of the CA. */
export function tlsOptions(credentials: LinkCredentials): {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly minVersion: "TLSv1.3";
  readonly rejectUnauthorized: true;
} {
  const { cert, key, ca } = credentials;
  return { cert, key, ca, minVersion: "TLSv1.3", rejectUnauthorized: true };
}

/** Makes the check of a dialled node: its certificate must name `expected`, wherever it answers. */
export function identityCheck(
  expected: NodeName,
): (host: string, certificate: PeerCertificate) => Error | undefined {
  return (host, { subjectaltname }) => {
    const found = certifiedNode(subjectaltname);
    if (found === expected) return undefined;
    const what = found === undefined ? "names no node" : `is of ${found}`;
    return new Error(`the certificate at ${host} ${what}, expected ${expected}`);
  };
}
