import { expect, test } from "vitest";

import { StoredTokens } from "../../../src/access/stored-tokens.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { memoryTokens } from "../../helpers/memory-tokens.js";

const ADMIN = { role: "admin", name: "root", validMs: undefined } as const;

test("the text of a token is nowhere but in what its maker gets", async () => {
  const storage = await createMemoryDriver().open("node");
  const { tokens } = await memoryTokens();
  const { text, token } = await tokens.create(ADMIN);
  expect(text).toMatch(/^enoki_[0-9a-f]{16}_[0-9a-f]{64}$/);
  const secret = text.split("_").at(-1) as string;
  await new StoredTokens(storage).add(token);
  const rows = storage.range({}).map(({ value }) => Buffer.from(value).toString("utf8"));
  expect(rows).toHaveLength(1);
  for (const shown of [JSON.stringify(token), JSON.stringify(tokens.list()), ...rows]) {
    expect(shown).not.toContain(secret);
  }
});

test("tokens are there again when the store is opened again", async () => {
  const storage = await createMemoryDriver().open("node");
  const { tokens } = await memoryTokens();
  const { token } = await tokens.create(ADMIN);
  const before = new StoredTokens(storage);
  await before.add(token);
  await before.revoke(token.id);
  expect(new StoredTokens(storage).find(token.id)).toEqual({
    ...token,
    serial: 2,
    isRevoked: true,
  });
  await before.forget(token.id);
  expect(new StoredTokens(storage).all()).toEqual([]);
});

test("the first token has the role admin, and the last one of it stays", async () => {
  const { tokens, clock } = await memoryTokens();
  const refused = { code: "ENOKI_NO_ADMIN_TOKEN" };
  await expect(tokens.create({ ...ADMIN, role: "read" })).rejects.toMatchObject(refused);
  await tokens.create(ADMIN);
  await tokens.create({ role: "read", name: "reader", validMs: undefined });
  await expect(tokens.remove("root")).rejects.toMatchObject(refused);
  await tokens.create({ ...ADMIN, name: "second", validMs: 1000 });
  await tokens.remove("reader");
  clock.nowMs += 1000;
  await expect(tokens.remove("root")).rejects.toMatchObject(refused);
  await tokens.remove("second").catch(() => {});
  expect(tokens.list().map(({ name }) => name)).toEqual(["root"]);
});

test("beside the node's own admin token any token may be the first and the last", async () => {
  const { tokens } = await memoryTokens("secret");
  await tokens.create({ role: "invoke", name: "caller", validMs: undefined });
  const { token } = await tokens.create(ADMIN);
  expect(await tokens.remove(token.id)).toEqual(token);
  await tokens.remove("caller");
  expect(tokens.list()).toEqual([]);
});

test("names are checked, made up where none is said, and taken only once at a time", async () => {
  const { tokens } = await memoryTokens("secret");
  await expect(tokens.create({ ...ADMIN, name: "a|b" })).rejects.toMatchObject({
    code: "ENOKI_INVALID_NAME",
  });
  const { token } = await tokens.create({ ...ADMIN, name: undefined });
  expect(token.name).toBe(`admin-${token.id.slice(0, 4)}`);
  await tokens.create(ADMIN);
  await expect(tokens.create(ADMIN)).rejects.toMatchObject({ code: "ENOKI_TOKEN_EXISTS" });
  await tokens.remove("root");
  await tokens.create(ADMIN);
});

test("what names no token, or two, is said", async () => {
  const { tokens, book } = await memoryTokens("secret");
  const { token } = await tokens.create(ADMIN);
  await expect(tokens.remove("rooot")).rejects.toMatchObject({ code: "ENOKI_TOKEN_NOT_FOUND" });
  // Two nodes may have made them at the same instant.
  await book.add({ ...token, id: "0123456789abcdef" });
  await expect(tokens.remove("root")).rejects.toThrow(/names several tokens: say \w{16} or \w{16}/);
  await tokens.remove("0123456789abcdef");
  await tokens.remove("root");
});
