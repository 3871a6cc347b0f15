import {
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  createPrivateKey,
  type KeyObject,
} from "node:crypto";
import { isIP, SocketAddress } from "node:net";

import { EnokiError } from "../core/errors.js";
import { NODE_URI_PREFIX, type NodeName } from "../core/ids.js";
import {
  bitString,
  contextTag,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  trueValue,
  utf8String,
} from "./der.js";

const OID = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

const KEY_USAGE = { digitalSignature: 0, keyCertSign: 5, cRLSign: 6 } as const;
const ALTERNATIVE_NAME = { dns: 2, uri: 6, ip: 7 } as const;
/** A certificate is good from a little before it was made: clocks differ. */
const BACKDATED_MS = 3_600_000;

/** A certificate with its private key, both in PEM. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** How long a certificate is good: from `nowMs`, for `validMs`. */
export interface Validity {
  readonly nowMs: number;
  readonly validMs: number;
}

/** Makes a certificate authority with a key of its own (ECDSA on P-256). */
export function createAuthority({ nowMs, validMs }: Validity): Issued {
  const keys = newKeys();
  const name = `Enoki links ${randomBytes(4).toString("hex")}`;
  const cert = encode({
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    issuerKey: keys.privateKey,
    issuerPublicKey: keys.publicKey,
    notBeforeMs: nowMs - BACKDATED_MS,
    notAfterMs: nowMs + validMs,
    extensions: [
      extension(OID.basicConstraints, sequence(trueValue(), integer(Buffer.from([0]))), true),
      extension(OID.keyUsage, namedBits(KEY_USAGE.keyCertSign, KEY_USAGE.cRLSign), true),
    ],
  });
  return { cert, key: toPem(keys.privateKey) };
}

/** What a node's certificate says. */
export interface NodeCertificate extends Validity {
  readonly node: NodeName;
  /** DNS names and IP addresses beside the node's own name. */
  readonly hosts: readonly string[];
}

/**
 * Issues a certificate that names a node. It is never good for longer than its authority.
 * @throws EnokiError `ENOKI_INVALID_INPUT` if the authority is not one, or not of that key
 */
export function issueNodeCertificate(authority: Issued, wanted: NodeCertificate): Issued {
  const { nowMs, validMs, node, hosts } = wanted;
  const { ca, caKey } = readAuthority(authority);
  const caEndsMs = Date.parse(ca.validTo);
  if (caEndsMs <= nowMs) throw invalid(`the authority expired on ${ca.validTo}`);
  const keys = newKeys();
  const cert = encode({
    subject: node,
    issuer: ca.subject.replace(/^CN=/, ""),
    publicKey: keys.publicKey,
    issuerKey: caKey,
    issuerPublicKey: ca.publicKey,
    notBeforeMs: Math.max(nowMs - BACKDATED_MS, Date.parse(ca.validFrom)),
    notAfterMs: Math.min(nowMs + validMs, caEndsMs),
    extensions: [
      extension(OID.basicConstraints, sequence(), true),
      extension(OID.keyUsage, namedBits(KEY_USAGE.digitalSignature), true),
      extension(
        OID.extendedKeyUsage,
        sequence(objectIdentifier(OID.serverAuth), objectIdentifier(OID.clientAuth)),
      ),
      extension(OID.subjectAltName, sequence(uri(NODE_URI_PREFIX + node), ...hosts.map(hostName))),
    ],
  });
  const made = new X509Certificate(cert);
  if (!made.checkIssued(ca) || !made.verify(ca.publicKey)) {
    throw invalid("the authority was not made by `enoki certs init`");
  }
  return { cert, key: toPem(keys.privateKey) };
}

function readAuthority({ cert, key }: Issued): { ca: X509Certificate; caKey: KeyObject } {
  let ca: X509Certificate;
  let caKey: KeyObject;
  try {
    ca = new X509Certificate(cert);
    caKey = createPrivateKey(key);
  } catch (error) {
    throw invalid(`the authority cannot be read: ${(error as Error).message}`);
  }
  if (!ca.ca) throw invalid("the certificate is no authority's");
  if (!ca.checkPrivateKey(caKey)) throw invalid("the key is not the one of the authority");
  return { ca, caKey };
}

interface Contents {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly issuerPublicKey: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly extensions: readonly Buffer[];
}

/** RFC 5280, section 4.1. */
function encode(contents: Contents): string {
  const algorithm = sequence(objectIdentifier(OID.ecdsaWithSha256));
  const subjectId = octetString(keyId(contents.publicKey));
  const issuerId = sequence(contextTag(0, false, keyId(contents.issuerPublicKey)));
  const signed = sequence(
    contextTag(0, true, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    distinguishedName(contents.issuer),
    sequence(time(contents.notBeforeMs), time(contents.notAfterMs)),
    distinguishedName(contents.subject),
    contents.publicKey.export({ type: "spki", format: "der" }),
    contextTag(
      3,
      true,
      sequence(
        ...contents.extensions,
        extension(OID.subjectKeyIdentifier, subjectId),
        extension(OID.authorityKeyIdentifier, issuerId),
      ),
    ),
  );
  const signature = sign("sha256", signed, contents.issuerKey);
  const base64 = sequence(signed, algorithm, bitString(signature)).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function toPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }) as string;
}

/** 127 random bits, never zero. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes;
}

function keyId(publicKey: KeyObject): Buffer {
  const bytes = publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(bytes).digest().subarray(0, 20);
}

function distinguishedName(commonName: string): Buffer {
  return sequence(set(sequence(objectIdentifier(OID.commonName), utf8String(commonName))));
}

function extension(oid: string, value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [trueValue()] : [];
  return sequence(objectIdentifier(oid), ...critical, octetString(value));
}

function uri(text: string): Buffer {
  return contextTag(ALTERNATIVE_NAME.uri, false, Buffer.from(text, "ascii"));
}

function hostName(host: string): Buffer {
  const family = isIP(host);
  if (family !== 0) return contextTag(ALTERNATIVE_NAME.ip, false, addressBytes(host, family));
  if (host.length > 253 || !/^(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$/.test(host)) {
    throw invalid(`${JSON.stringify(host)} is no host name and no IP address`);
  }
  return contextTag(ALTERNATIVE_NAME.dns, false, Buffer.from(host, "ascii"));
}

function addressBytes(address: string, family: number): Buffer {
  if (family === 4) return Buffer.from(address.split(".").map(Number));
  const { address: shown } = new SocketAddress({ address, family: "ipv6" });
  const [head = "", tail] = withoutDots(shown).split("::");
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const missing = Array.from({ length: 8 - left.length - right.length }, () => "0");
  const groups = [...left, ...(tail === undefined ? [] : missing), ...right];
  return Buffer.concat(groups.map((group) => Buffer.from(group.padStart(4, "0"), "hex")));
}

/** `::ffff:10.0.0.1` with its last part in hexadecimal, as all others are. */
function withoutDots(address: string): string {
  return address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const hex = Buffer.from(parts.slice(0, 4).map(Number)).toString("hex");
    return `${hex.slice(0, 4)}:${hex.slice(4)}`;
  });
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_INPUT", detail);
}
