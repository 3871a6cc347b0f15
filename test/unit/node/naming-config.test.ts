import { expect, test } from "vitest";

import { loadConfig } from "../../../src/node/config.js";
import type { NamingConfig } from "../../../src/node/naming-config.js";

const FILES: Readonly<Record<string, string>> = {
  password: "from file\n",
  ca: "CA",
  cert: "CERT",
  key: "KEY",
  empty: "",
};

async function load(
  flags: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<NamingConfig> {
  const readFile = (path: string): Promise<string> => {
    const content = FILES[path];
    if (content !== undefined) return Promise.resolve(content);
    return Promise.reject(Object.assign(new Error("missing"), { code: "ENOENT" }));
  };
  return (await loadConfig({ flags, env, readFile })).naming;
}

test("an address names members, and with a user the password comes from anywhere but the log", async () => {
  expect(await load({ naming: "etcd://a:1,b,[::1]:3" })).toEqual({
    endpoints: [
      { host: "a", port: 1 },
      { host: "b", port: 2379 },
      { host: "::1", port: 3 },
    ],
    root: "enoki",
  });
  expect(await load({ naming: "etcds://a/prod" })).toMatchObject({ root: "prod", tls: {} });
  const naming = "etcd://u%3A:p%40ss@a";
  expect(await load({ naming })).toMatchObject({ user: { name: "u:", password: "p@ss" } });
  const env = { ENOKI_NAMING_PASSWORD: "from env" };
  expect(await load({ naming }, env)).toMatchObject({ user: { password: "from env" } });
  expect(await load({ naming, namingPasswordFile: "password" }, env)).toMatchObject({
    user: { password: "from file" },
  });
});

test("files for TLS are read, and turn it on", async () => {
  const files = { namingCaFile: "ca", namingCertFile: "cert", namingKeyFile: "key" };
  expect(await load({ naming: "etcd://a", ...files })).toMatchObject({
    tls: { ca: "CA", cert: "CERT", key: "KEY" },
  });
  expect(await load({ naming: "etcd://a" })).not.toHaveProperty("tls");
});

test.each([
  [{ naming: "etcd://" }, /^--naming: expected etcd:/],
  [{ naming: "etcd://a:0" }, /^--naming: "a:0" is no HOST:PORT/],
  [{ naming: "etcd://a,,b" }, /is no HOST:PORT/],
  [{ naming: "etcd://a/b/c" }, /what follows the \//],
  [{ naming: "etcd://@a" }, /the user before the @ is missing/],
  [{ naming: "etcd://u:%zz@a" }, /percent-encoded/],
  [{ naming: "etcd://u@a" }, /needs a password: --naming-password-file or ENOKI_NAMING_PASSWORD/],
  [{ naming: "etcd://u@a", namingPasswordFile: "empty" }, /needs a password/],
  [
    { naming: "etcd://u@a", namingPasswordFile: "none" },
    /^--naming-password-file: cannot read none/,
  ],
  [{ naming: "etcd://a", namingCertFile: "cert" }, /^--naming-cert-file: needs --naming-key-file/],
  [{ naming: "etcd://a", namingKeyFile: "key" }, /^--naming-key-file: needs --naming-cert-file/],
  [{ namingCaFile: "ca" }, /^--naming-ca-file: belongs to a naming service etcd:/],
])("%o is refused", async (flags, message) => {
  await expect(load(flags)).rejects.toMatchObject({
    code: "ENOKI_INVALID_CONFIG",
    message: expect.stringMatching(message) as string,
  });
});

test("no password stands in what is said of a wrong address", async () => {
  for (const naming of ["etcd://u:secret@a:0", "etcd://u:secret@a/b/c", "etcd://u:%zzsecret@a"]) {
    await expect(load({ naming })).rejects.not.toThrow(/secret/);
  }
});
