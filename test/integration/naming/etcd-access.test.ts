import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";

import type { EnokiError } from "../../../src/core/errors.js";
import { EtcdNaming, type EtcdNamingOptions } from "../../../src/naming/etcd/etcd-naming.js";
import { until, WatchRecorder } from "../../../src/testing/naming-recorder.js";
import { OPENSSL_MISSING, TestAuthority } from "../../helpers/certificates.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const started: TestEtcd[] = [];

afterEach(async () => {
  await Promise.all(started.splice(0).map((etcd) => etcd.remove()));
});

function open(port: number, options: Partial<EtcdNamingOptions> = {}): EtcdNaming {
  const endpoints = [{ host: "127.0.0.1", port }];
  const naming = new EtcdNaming({ endpoints, root: "test", leaseMs: 3000, ...options });
  onTestFinished(() => naming.close());
  return naming;
}

/** Writes until an etcd that was just started takes it. */
async function putAtLast(naming: EtcdNaming, value: string): Promise<void> {
  let isDone = false;
  while (!isDone) {
    isDone = await naming.transact([], [{ key: "a", value }]).catch((error: EnokiError) => {
      expect(error.code).toBe("ENOKI_NAMING_UNAVAILABLE");
      return false;
    });
  }
}

async function refusalOf(naming: EtcdNaming): Promise<string> {
  const errors = await Promise.all(
    [naming.read(""), naming.transact([], [{ key: "a", value: "1" }])].map((work) =>
      work.then(
        () => Promise.reject(new Error("it was let in")),
        (error: unknown) => error as EnokiError,
      ),
    ),
  );
  for (const { code, message } of errors) expect(code, message).toBe("ENOKI_NAMING_REFUSED");
  return errors[0]?.message ?? "";
}

/** An etcd that asks for a user: `enoki` may do all below `test/`. */
async function startWithUsers(): Promise<TestEtcd> {
  const etcd = await TestEtcd.start();
  started.push(etcd);
  etcd.control("user", "add", "root:secret");
  etcd.control("user", "grant-role", "root", "root");
  etcd.control("role", "add", "nodes");
  etcd.control("role", "grant-permission", "nodes", "readwrite", "test/", "test0");
  etcd.control("user", "add", "enoki:s€cret:@/");
  etcd.control("user", "grant-role", "enoki", "nodes");
  etcd.control("auth", "enable");
  return etcd;
}

const USER = { name: "enoki", password: "s€cret:@/" };

describe.skipIf(ETCD_MISSING)(`an etcd that asks who is there${ETCD_MISSING}`, () => {
  test("lets in who has the password, and says so to who has not", async () => {
    const { port } = await startWithUsers();
    const naming = open(port, { user: USER });
    const recorder = new WatchRecorder(naming, "");
    await naming.transact([], [{ key: "a", value: "1", isLeased: true }]);
    await until(() => recorder.values()["a"] === "1");

    expect(await refusalOf(open(port, { user: { ...USER, password: "wrong" } }))).toMatch(
      /authentication failed/,
    );
    expect(await refusalOf(open(port))).toMatch(/user name is empty/);
    expect(await refusalOf(open(port, { user: USER, root: "other" }))).toMatch(/permission denied/);
  });

  test("is logged in to anew after it has forgotten all tokens", async () => {
    const etcd = await startWithUsers();
    const naming = open(etcd.port, { user: USER });
    const recorder = new WatchRecorder(naming, "");
    await naming.transact([], [{ key: "a", value: "1" }]);
    await until(() => recorder.values()["a"] === "1" && recorder.isReachable === true);
    await etcd.kill();
    await etcd.restart();
    await putAtLast(naming, "2");
    await until(() => recorder.values()["a"] === "2");
    etcd.control("--user=root:secret", "role", "add", "another");
    expect(await naming.transact([], [{ key: "a", value: "3" }])).toBe(true);
    await until(() => recorder.values()["a"] === "3");
    etcd.control("--user=root:secret", "auth", "disable");
    expect(await naming.transact([], [{ key: "a", value: "4" }])).toBe(true);
    await until(() => recorder.values()["a"] === "4");
    expect(recorder.heard.filter((event) => event === "reset")).toEqual(["reset"]);
  });
});

test("something else on etcd's port is refused, not waited for", async () => {
  const server = createServer((_request, response) => response.writeHead(404).end("<html>"));
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => void server.close());
  const naming = open((server.address() as AddressInfo).port);
  expect(await refusalOf(naming)).toMatch(/answers as no etcd does \(HTTP status 404\)/);
});

const missing = ETCD_MISSING || OPENSSL_MISSING;

describe.skipIf(missing)(`an etcd behind TLS${missing}`, () => {
  test("is used by who knows its authority and has a certificate, and by nobody else", async () => {
    const dir = await temporaryFolder();
    const authority = new TestAuthority(dir, "ours");
    const other = new TestAuthority(dir, "other");
    const server = authority.issue("server");
    const client = authority.issue("client");
    const etcd = await TestEtcd.start({
      serverCert: server.certFile,
      serverKey: server.keyFile,
      clientCa: authority.caFile,
    });
    started.push(etcd);
    const ca = await authority.ca();
    const [cert, key] = await Promise.all([
      readFile(client.certFile, "utf8"),
      readFile(client.keyFile, "utf8"),
    ]);

    const naming = open(etcd.port, { tls: { ca, cert, key } });
    const recorder = new WatchRecorder(naming, "");
    await naming.transact([], [{ key: "a", value: "1", isLeased: true }]);
    await until(() => recorder.values()["a"] === "1");
    await etcd.kill();
    await etcd.restart();
    await putAtLast(naming, "2");
    await until(() => recorder.values()["a"] === "2");

    expect(await refusalOf(open(etcd.port, { tls: { ca: await other.ca(), cert, key } }))).toMatch(
      /TLS: /,
    );
    expect(await refusalOf(open(etcd.port, { tls: {} }))).toMatch(/TLS: /);
    await expect(open(etcd.port, { tls: { ca } }).read("")).rejects.toThrow(/certificate/);
    await expect(open(etcd.port).read("")).rejects.toThrow(/if it wants TLS, say etcds:/);
  });
});
