import { describe, expect, test } from "vitest";

import { parseFunctionName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { parseClusterKeys, withNewKey } from "../../../src/secrets/cluster-keys.js";
import { KeyRing } from "../../../src/secrets/key-ring.js";
import { keyIdOf } from "../../../src/secrets/sealing.js";
import { requireFewSecrets, Secrets } from "../../../src/secrets/secrets.js";

const report = parseFunctionName("report");
const alarm = parseFunctionName("alarm");

function secretsWith(text: string): Secrets {
  const keys = parseClusterKeys(text, "test");
  return new Secrets(new KeyRing(keys, { keys: [], make: undefined }));
}

const file = withNewKey();

test("what is sealed opens again, and tells nothing of the value", async () => {
  const secrets = secretsWith(file);
  const values = { KEY: "s3cr3t-välue", OTHER: "line\nline\n" };
  const sealed = await secrets.seal(report, values);
  expect(Object.values(sealed).join()).not.toMatch(/s3cr3t|line/);
  expect(sealed["KEY"]).toMatch(/^v1\.[0-9a-f]{12}\.[\w-]+$/);
  expect(secrets.open(report, sealed)).toEqual(values);
});

test("the same value is sealed as another text each time, unless it is there already", async () => {
  const secrets = secretsWith(file);
  const first = await secrets.seal(report, { KEY: "value" });
  expect(await secrets.seal(report, { KEY: "value" })).not.toEqual(first);
  expect(await secrets.seal(report, { KEY: "value" }, first)).toEqual(first);
  const changed = await secrets.seal(report, { KEY: "another" }, first);
  expect(secrets.open(report, changed)).toEqual({ KEY: "another" });
});

test("sealed text opens as that variable of that function, and as no other", async () => {
  const secrets = secretsWith(file);
  const { KEY = "" } = await secrets.seal(report, { KEY: "value" });
  const moved = {
    code: "ENOKI_SECRET_UNREADABLE",
    extra: { secret: expect.anything(), key: keyIdOf(KEY) },
  };
  expect(() => secrets.open(alarm, { KEY })).toThrow(expect.objectContaining(moved));
  expect(() => secrets.open(report, { OTHER: KEY })).toThrow(expect.objectContaining(moved));
});

test("every changed character is noticed", async () => {
  const secrets = secretsWith(file);
  const { KEY = "" } = await secrets.seal(report, { KEY: "value" });
  const start = KEY.lastIndexOf(".") + 1;
  for (let at = start; at < KEY.length - 1; at++) {
    const other = KEY[at] === "A" ? "B" : "A";
    const changed = KEY.slice(0, at) + other + KEY.slice(at + 1);
    expect(() => secrets.open(report, { KEY: changed })).toThrow(/KEY of function "report"/);
  }
  for (const text of ["", "v1", "v2.0123456789ab.AAAA", KEY.slice(0, 30), "v1.0123456789ab."]) {
    expect(() => secrets.open(report, { KEY: text })).toThrow(/ENOKI_SECRET|report/);
  }
});

describe("keys", () => {
  test("a node without the key says which one it lacks and what to do", async () => {
    const sealed = await secretsWith(file).seal(report, { KEY: "value" });
    const id = keyIdOf(sealed["KEY"] as string) as string;
    const open = () => secretsWith(withNewKey()).open(report, sealed);
    expect(open).toThrow(expect.objectContaining({ code: "ENOKI_SECRET_UNREADABLE" }));
    expect(open).toThrow(new RegExp(`sealed with the key ${id}.*--cluster-key-file`));
  });

  test("after a rotation the first key seals and both open, until all is sealed anew", async () => {
    const before = await secretsWith(file).seal(report, { KEY: "value" });
    const rotated = withNewKey(file);
    const [newest, old] = parseClusterKeys(rotated, "test");
    expect(old?.id).toBe(parseClusterKeys(file, "test")[0]?.id);
    const secrets = secretsWith(rotated);
    expect(secrets.open(report, before)).toEqual({ KEY: "value" });
    const after = await secrets.reseal(report, before);
    expect(keyIdOf(after["KEY"] as string)).toBe(newest?.id);
    expect(await secrets.reseal(report, after)).toEqual(after);
    const newOnly = rotated.split("\n").filter((_, line) => line !== 2);
    expect(secretsWith(newOnly.join("\n")).open(report, after)).toEqual({ KEY: "value" });
  });

  test("a file that holds something else is refused by its line, and not quoted", () => {
    const key = file.split("\n")[1] as string;
    for (const text of [key.slice(0, -1), `${key}=`, key.slice(18), "password"]) {
      const read = () => parseClusterKeys(`# a note\n\n${text}\n`, "FILE");
      expect(read).toThrow("FILE: line 3 is no cluster key; make a file with");
      expect(read).not.toThrow(text);
    }
    expect(() => parseClusterKeys("# nothing\n", "FILE")).toThrow(/there is no cluster key in it/);
  });

  test("a node alone makes one key, however many ask at once; one of a cluster is to be given its key", async () => {
    let made = 0;
    const make = async () => parseClusterKeys(withNewKey(), `made ${(made += 1)}`);
    const ring = new KeyRing([], { keys: [], make });
    const [a, b] = await Promise.all([ring.sealing(), ring.sealing()]);
    expect([made, a.id, ring.find(a.id)]).toEqual([1, b.id, a]);
    const member = new KeyRing([], { keys: [a], make: undefined });
    await expect(member.sealing()).rejects.toMatchObject({ code: "ENOKI_CLUSTER_KEY_REQUIRED" });
    expect(member.find(a.id)).toBe(a);
  });
});

describe("what cannot be a variable is refused without the value", () => {
  test.each([
    ["a name with a blank", { "A B": "value-1" }, /is no name/],
    ["a name with a digit first", { "1A": "value-1" }, /is no name/],
    ["nothing", { KEY: "" }, /secrets.KEY: is empty/],
    ["a zero byte", { KEY: "value-1\0" }, /zero byte/],
    ["too much", { KEY: "value-1".repeat(LIMITS.secretBytesMax) }, /8192 are allowed/],
  ])("%s", async (_what, values, message) => {
    const sealing = secretsWith(file).seal(report, values as Record<string, string>);
    await expect(sealing).rejects.toThrow(message);
    await expect(sealing).rejects.not.toThrow(/value-1/);
  });

  test("more than a function may have", () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`K${i}`, "x"]));
    expect(() => requireFewSecrets(many)).toThrow(/65 of one function; 64 are allowed/);
    const large = { A: "x".repeat(LIMITS.secretsBytesMax), B: "y" };
    expect(() => requireFewSecrets(large)).toThrow(/24577 bytes when sealed/);
  });
});
