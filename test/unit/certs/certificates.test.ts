import { execFileSync, spawnSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { createAuthority, issueNodeCertificate } from "../../../src/certs/certificates.js";
import { integer, namedBits, objectIdentifier, octetString, time } from "../../../src/certs/der.js";
import { EnokiError } from "../../../src/core/errors.js";
import { parseNodeName } from "../../../src/core/ids.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const DAY_MS = 86_400_000;
const nowMs = Date.now();
const edge1 = parseNodeName("edge1");
const authority = createAuthority({ nowMs, validMs: 3650 * DAY_MS });

function issue(
  hosts: readonly string[] = [],
  validMs = 730 * DAY_MS,
): ReturnType<typeof createAuthority> {
  return issueNodeCertificate(authority, { node: edge1, hosts, nowMs, validMs });
}

function openssl(...args: readonly string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", stdio: "pipe" });
}

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test.skipIf(!hasOpenssl)(
  "openssl verifies a node's certificate strictly, as client and as server, against its authority only",
  async () => {
    const dir = await temporaryFolder();
    const other = createAuthority({ nowMs, validMs: DAY_MS });
    const { cert } = issue(["edge1.example.org", "10.0.0.1"]);
    await writeFiles(dir, { "ca.pem": authority.cert, "other.pem": other.cert, "edge1.pem": cert });
    const path = (name: string): string => join(dir, name);
    for (const purpose of ["sslclient", "sslserver"]) {
      const verified = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        path("ca.pem"),
        path("edge1.pem"),
      );
      expect(verified).toContain(": OK");
    }
    expect(() => openssl("verify", "-CAfile", path("other.pem"), path("edge1.pem"))).toThrow(
      /unable to get local issuer|verification failed/,
    );
    const text = openssl("x509", "-in", path("edge1.pem"), "-noout", "-text");
    expect(text).toContain("URI:urn:enoki:node:edge1, DNS:edge1.example.org, IP Address:10.0.0.1");
    expect(text).toContain("Digital Signature");
    expect(text).toContain("TLS Web Server Authentication, TLS Web Client Authentication");
    expect(text).toContain("ASN1 OID: prime256v1");
    expect(openssl("x509", "-in", path("ca.pem"), "-noout", "-text")).toContain(
      "CA:TRUE, pathlen:0",
    );
  },
);

test("the key belongs to the certificate, and no two certificates share a serial number", () => {
  const [first, second] = [issue(), issue()];
  const certificate = new X509Certificate(first.cert);
  expect(certificate.checkPrivateKey(createPrivateKey(first.key))).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(new X509Certificate(second.cert).serialNumber).not.toBe(certificate.serialNumber);
});

test("a certificate ends no later than its authority", () => {
  const ends = (pem: string): number => Date.parse(new X509Certificate(pem).validTo);
  expect(ends(issue([], 9999 * DAY_MS).cert)).toBe(ends(authority.cert));
  expect(ends(issue([], DAY_MS).cert)).toBe(Math.floor((nowMs + DAY_MS) / 1000) * 1000);
});

test("IPv6 addresses in every form are put in as their 16 bytes", () => {
  const { cert } = issue([
    "::1",
    "2001:db8::8:800:200c:417a",
    "::ffff:10.0.0.1",
    "1:2:3:4:5:6:7:8",
  ]);
  expect(new X509Certificate(cert).subjectAltName).toBe(
    "URI:urn:enoki:node:edge1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:8:800:200C:417A, " +
      "IP Address:0:0:0:0:0:FFFF:A00:1, IP Address:1:2:3:4:5:6:7:8",
  );
});

test.each(["", "a b", "x,URI:urn:enoki:node:other", "é.example", "-".repeat(300)])(
  "the host %j is refused",
  (host) => {
    expect(() => issue([host])).toThrow(EnokiError);
  },
);

describe("an authority that is none is refused", () => {
  const other = createAuthority({ nowMs, validMs: DAY_MS });
  const expired = createAuthority({ nowMs: nowMs - 2 * DAY_MS, validMs: DAY_MS });
  test.each([
    ["the key of another", { cert: authority.cert, key: other.key }, "is not the one"],
    ["a node's certificate", issue(), "no authority"],
    ["an expired one", expired, "expired"],
    ["no PEM", { cert: "x", key: "y" }, "cannot be read"],
  ])("%s", (_, given, message) => {
    const wanted = { node: edge1, hosts: [], nowMs, validMs: DAY_MS };
    expect(() => issueNodeCertificate(given, wanted)).toThrow(message);
  });
});

test("numbers, times and lengths are in their shortest form", () => {
  const hex = (bytes: Buffer): string => bytes.toString("hex");
  expect(hex(integer(Buffer.from([0, 0, 0x7f])))).toBe("02017f");
  expect(hex(integer(Buffer.from([0x80])))).toBe("02020080");
  expect(hex(integer(Buffer.from([0])))).toBe("020100");
  expect(hex(namedBits(5, 6))).toBe("03020106");
  expect(hex(objectIdentifier("1.2.840.10045.4.3.2"))).toBe("06082a8648ce3d040302");
  expect(
    time(Date.UTC(2049, 11, 31, 23, 59, 59))
      .subarray(2)
      .toString(),
  ).toBe("491231235959Z");
  expect(
    time(Date.UTC(2050, 0, 1))
      .subarray(2)
      .toString(),
  ).toBe("20500101000000Z");
  expect(hex(octetString(Buffer.alloc(127)).subarray(0, 2))).toBe("047f");
  expect(hex(octetString(Buffer.alloc(128)).subarray(0, 3))).toBe("048180");
  expect(hex(octetString(Buffer.alloc(65_536)).subarray(0, 5))).toBe("0483010000");
});
