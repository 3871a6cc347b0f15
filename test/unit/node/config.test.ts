import { resolve } from "node:path";
import { expect, test } from "vitest";

import { loadConfig, type NodeConfig } from "../../../src/node/config.js";
import { withNewKey } from "../../../src/secrets/cluster-keys.js";
import { describeSettings } from "../../../src/node/settings.js";

interface Sources {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

function load({ flags = {}, env = {}, files = {} }: Sources): Promise<NodeConfig> {
  const readFile = async (path: string): Promise<string> => {
    const content = files[path];
    if (content === undefined) throw Object.assign(new Error("missing"), { code: "ENOENT" });
    return content;
  };
  return loadConfig({ flags, env, readFile });
}

test("without a word the node listens on loopback, at the documented ports", async () => {
  const config = await load({});
  expect(config).toEqual({
    name: "node",
    labels: {},
    dataDir: resolve(".enoki"),
    host: "127.0.0.1",
    functionPort: 8000,
    adminPort: 8080,
    linkPort: 7000,
    coapPort: undefined,
    grpcPort: undefined,
    tinyfaas: false,
    naming: "memory",
    storage: "lmdb",
    durability: "relaxed",
    isolation: "auto",
    functions: "public",
    adminToken: undefined,
    linkCredentials: undefined,
    clusterKeys: [],
    allowUploadUrl: false,
    bodyLimitBytes: 16 * 1024 * 1024,
    drainTimeoutMs: 10_000,
    instanceIdleMs: 30_000,
    logFormat: "text",
    json: false,
  });
});

test("flags win over the environment, the environment over the file, the file over defaults", async () => {
  const files = { "node.yaml": "name: file\nhost: localhost\nfunction-port: 1\nadmin-port: 2\n" };
  const env = { ENOKI_NAME: "env", ENOKI_FUNCTION_PORT: "3", ENOKI_CONFIG: "node.yaml" };
  const config = await load({ flags: { name: "flag" }, env, files });
  expect(config).toMatchObject({ name: "flag", functionPort: 3, adminPort: 2, host: "localhost" });
});

test("the --config flag wins over ENOKI_CONFIG, and an empty file changes nothing", async () => {
  const files = { a: "", b: "name: b" };
  const config = await load({ flags: { config: "a" }, env: { ENOKI_CONFIG: "b" }, files });
  expect(config.name).toBe("node");
});

test.each([
  ["off", undefined],
  ["0", 0],
  [0, 0],
  ["65535", 65_535],
])("the port %j is read as %s", async (port, read) => {
  expect((await load({ flags: { functionPort: port } })).functionPort).toBe(read);
});

test("an empty variable counts as unset", async () => {
  expect((await load({ env: { ENOKI_NAME: "" } })).name).toBe("node");
});

test.each<[string, Sources, RegExp]>([
  ["a port that is none", { flags: { adminPort: "65536" } }, /^--admin-port: .*no port/],
  ["a bad name", { env: { ENOKI_NAME: "a_b" } }, /^ENOKI_NAME: .*not a valid node name/],
  ["a drain of a month", { flags: { drainTimeoutMs: "30d" } }, /^--drain-timeout: .*24h/],
  ["an idle time of a month", { flags: { instanceIdleMs: "30d" } }, /^--instance-idle: .*24h/],
  ["a bare number as duration", { flags: { drainTimeoutMs: "10" } }, /^--drain-timeout: .*unit/],
  [
    "a bare number in the file",
    { flags: { config: "n" }, files: { n: "drain-timeout: 10" } },
    /^n: drain-timeout: .*unit/,
  ],
  ["a size beyond the limit", { flags: { bodyLimitBytes: "17m" } }, /^--body-limit: at most 16m/],
  ["an unknown driver", { env: { ENOKI_STORAGE: "redis" } }, /^ENOKI_STORAGE: /],
  [
    "an unknown naming service",
    { flags: { naming: "dns" } },
    /^--naming: expected memory or etcd:/,
  ],
  [
    "an unknown variable",
    { env: { ENOKI_ADMINPORT: "1" } },
    /^ENOKI_ADMINPORT: .*did you mean ENOKI_ADMIN_PORT\?/,
  ],
  [
    "an unknown key",
    { flags: { config: "n" }, files: { n: "data_dir: x" } },
    /^n: data_dir: .*did you mean data-dir\?/,
  ],
  [
    "config inside the file",
    { flags: { config: "n" }, files: { n: "config: x" } },
    /^n: config: there is no such setting/,
  ],
  [
    "a file that is missing",
    { flags: { config: "gone" } },
    /^--config: cannot read gone \(ENOENT\)/,
  ],
  ["a file that is no YAML", { flags: { config: "n" }, files: { n: "a: [" } }, /^n: /],
  ["a file that is a list", { flags: { config: "n" }, files: { n: "- a" } }, /^n: expected lines/],
  ["a key given twice", { flags: { config: "n" }, files: { n: "name: a\nname: b" } }, /^n: /],
  [
    "strict in memory",
    { flags: { storage: "memory", durability: "strict" } },
    /^--durability: memory outlives/,
  ],
  ["a token of two words", { env: { ENOKI_ADMIN_TOKEN: "a b" } }, /^ENOKI_ADMIN_TOKEN: a token is/],
])("%s is refused, naming where it was said", async (_, sources, message) => {
  await expect(load(sources)).rejects.toMatchObject({
    code: "ENOKI_INVALID_CONFIG",
    message: expect.stringMatching(message) as string,
  });
});

test("tinyfaas opens tinyFaaS's ports, but not those that something was said of", async () => {
  expect(await load({ flags: { tinyfaas: true } })).toMatchObject({
    functionPort: 8000,
    adminPort: 8080,
    coapPort: 5683,
    grpcPort: 9000,
  });
  const flags = { tinyfaas: true, coapPort: "off" };
  const env = { ENOKI_GRPC_PORT: "0" };
  expect(await load({ flags, env })).toMatchObject({ coapPort: undefined, grpcPort: 0 });
});

test.each(["functionPort", "coapPort", "grpcPort"])(
  "beyond loopback a %s needs a word on who may call functions",
  async (key) => {
    const off = { functionPort: "off", adminPort: "off" };
    const flags = { host: "0.0.0.0", ...off, [key]: "5683" };
    await expect(load({ flags })).rejects.toMatchObject({
      code: "ENOKI_CREDENTIALS_REQUIRED",
      message: expect.stringContaining("--functions public|token") as string,
    });
    const config = await load({ flags: { ...flags, functions: "public" } });
    expect(config.functions).toBe("public");
  },
);

test("beyond loopback a node needs a token and a word on who may call functions", async () => {
  const host = "0.0.0.0";
  await expect(load({ flags: { host } })).rejects.toMatchObject({
    code: "ENOKI_CREDENTIALS_REQUIRED",
    message: expect.stringMatching(/0\.0\.0\.0.*--functions.*enoki tokens create/) as string,
  });
  const env = { ENOKI_ADMIN_TOKEN: "secret" };
  await expect(load({ flags: { host }, env })).rejects.toMatchObject({
    code: "ENOKI_CREDENTIALS_REQUIRED",
  });
  // There may be tokens in its directory, or in the naming service: the node looks for them.
  expect((await load({ flags: { host, functions: "public" } })).adminToken).toBeUndefined();
  const config = await load({ flags: { host, functions: "public" }, env });
  expect(config).toMatchObject({ functions: "public", adminToken: "secret" });
});

test("what is off beyond loopback needs no credentials", async () => {
  const flags = { host: "::", adminPort: "off", functions: "public" };
  expect((await load({ flags })).adminToken).toBeUndefined();
});

test.each(["127.0.0.1", "127.1.2.3", "::1", "localhost"])("%s is loopback", async (host) => {
  expect((await load({ flags: { host } })).functions).toBe("public");
});

test.each(["127.0.0.1.example.org", "10.0.0.1", "::", "example.org"])(
  "%s is not loopback",
  async (host) => {
    await expect(load({ flags: { host } })).rejects.toMatchObject({
      code: "ENOKI_CREDENTIALS_REQUIRED",
    });
  },
);

test("the token comes from the flag's file, else from ENOKI_ADMIN_TOKEN, else from a file named elsewhere", async () => {
  const files = { f: "from-flag\n", e: "from-env-file\n" };
  const env = { ENOKI_ADMIN_TOKEN: "from-env", ENOKI_ADMIN_TOKEN_FILE: "e" };
  const token = async (sources: Sources): Promise<string | undefined> =>
    (await load({ ...sources, files })).adminToken;
  expect(await token({ flags: { adminTokenFile: "f" }, env })).toBe("from-flag");
  expect(await token({ env })).toBe("from-env");
  expect(await token({ env: { ENOKI_ADMIN_TOKEN_FILE: "e" } })).toBe("from-env-file");
  await expect(token({ flags: { adminTokenFile: "gone" } })).rejects.toMatchObject({
    message: "--admin-token-file: cannot read gone (ENOENT)",
  });
});

test("the three files of a link's certificate go together and are read", async () => {
  const files = { c: "cert", k: "key", a: "ca" };
  const flags = { linkCert: "c", linkKey: "k" };
  const env = { ENOKI_LINK_CA: "a" };
  const config = await load({ flags, env, files });
  expect(config.linkCredentials).toEqual({ cert: "cert", key: "key", ca: "ca" });
  expect(config).not.toHaveProperty("linkCert");
  await expect(load({ flags, files })).rejects.toMatchObject({
    code: "ENOKI_INVALID_CONFIG",
    message: "--link-cert: --link-cert, --link-key and --link-ca go together",
  });
  await expect(load({ flags, env, files: { c: "cert", k: "key" } })).rejects.toMatchObject({
    message: "ENOKI_LINK_CA: cannot read a (ENOENT)",
  });
});

test("cluster keys are read from a file that nobody else may read, and never quoted", async () => {
  const files = { keys: withNewKey(withNewKey()), bad: "hunter2-hunter2" };
  const flags = { clusterKeyFile: "keys" };
  const config = await load({ flags, files });
  expect(config.clusterKeys).toHaveLength(2);
  expect(config).not.toHaveProperty("clusterKeyFile");
  await expect(load({ env: { ENOKI_CLUSTER_KEY_FILE: "gone" } })).rejects.toThrow(
    "ENOKI_CLUSTER_KEY_FILE: cannot read gone (ENOENT)",
  );
  const bad = load({ flags: { clusterKeyFile: "bad" }, files });
  await expect(bad).rejects.toThrow(/^--cluster-key-file: bad: line 1 is no cluster key/);
  await expect(bad).rejects.not.toThrow(/hunter2/);
  const readFile = async (): Promise<string> => files.keys;
  const isOpenToOthers = async (): Promise<boolean> => true;
  await expect(loadConfig({ flags, env: {}, readFile, isOpenToOthers })).rejects.toThrow(
    "--cluster-key-file: other users of this machine may read keys: chmod 600 keys",
  );
});

test("links beyond loopback need a certificate", async () => {
  const files = { c: "cert", k: "key", a: "ca" };
  const flags = {
    host: "::",
    adminPort: "off",
    functions: "public",
    naming: "etcd://127.0.0.1:2379",
  };
  await expect(load({ flags })).rejects.toMatchObject({ code: "ENOKI_CREDENTIALS_REQUIRED" });
  const linked = { ...flags, linkCert: "c", linkKey: "k", linkCa: "a" };
  expect((await load({ flags: linked, files })).linkPort).toBe(7000);
});

test("several nodes are named with commas, each once, and have one process in common", async () => {
  const config = await load({ flags: { nodes: "cloud, edge1,edge2" } });
  expect(config.nodes).toEqual(["cloud", "edge1", "edge2"]);
  for (const [flags, message] of [
    [{ nodes: "a,a" }, "--nodes: a name stands there twice"],
    [{ nodes: "a,b_" }, '--nodes: "b_" is not a valid node name'],
    [{ nodes: "a,b", name: "c" }, /^--name: does not go with --nodes/],
    [{ nodes: "a,b", naming: "etcd://127.0.0.1" }, /^--naming: does not go with --nodes/],
  ] as const) {
    await expect(load({ flags })).rejects.toThrow(message);
  }
});

test("variables of the command line are no settings and no mistakes", async () => {
  const env = { ENOKI_NODE: "http://x", ENOKI_TOKEN: "t", OTHER: "1" };
  expect((await load({ env })).name).toBe("node");
});

test("every setting has one name in each form, and a description", () => {
  for (const { name, flag, env, description, isRepeatable } of describeSettings()) {
    // A flag that is given once for each value is named by one of them.
    expect([isRepeatable ? `${flag}s` : flag, env]).toEqual([
      `--${name}`,
      `ENOKI_${name.toUpperCase().replaceAll("-", "_")}`,
    ]);
    expect(description).not.toBe("");
  }
  const drain = describeSettings().find(({ key }) => key === "drainTimeoutMs");
  expect(drain).toMatchObject({ name: "drain-timeout", value: "duration", shownDefault: "10s" });
});

test("labels are a list with commas, a repeated flag or a mapping, and each stands there once", async () => {
  const expected = { zone: "north", tier: "edge" };
  expect((await load({ flags: { labels: ["zone=north", "tier=edge"] } })).labels).toEqual(expected);
  expect((await load({ env: { ENOKI_LABELS: "zone=north, tier=edge" } })).labels).toEqual(expected);
  const wrong = async (labels: string) => load({ flags: { labels: [labels] } });
  await expect(wrong("north")).rejects.toThrow(/--label: "north" is no label such as zone=north/);
  await expect(wrong("zone=a,zone=b")).rejects.toThrow(/the label zone stands there twice/);
});
