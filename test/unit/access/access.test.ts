import { describe, expect, test } from "vitest";

import { newToken } from "../../../src/access/token-text.js";
import { includesRole, ROLES, type Role } from "../../../src/core/rights.js";
import { memoryTokens } from "../../helpers/memory-tokens.js";

const unauthorized = expect.objectContaining({ code: "ENOKI_UNAUTHORIZED" }) as Error;

describe("the admin token of the settings", () => {
  test.each([
    undefined,
    "Bearer",
    "Bearer wrong",
    "Bearer secre",
    "Bearer secrets",
    "Basic secret",
    "secret",
  ])("the header %s is refused", async (header) => {
    const { access } = await memoryTokens("secret");
    expect(() => access.admit(header)).toThrow(unauthorized);
  });

  test("the right one passes for everything, whatever the case of Bearer", async () => {
    const { access } = await memoryTokens("secret");
    expect(access.admit("Bearer secret")).toMatchObject({ role: "admin" });
    expect(access.admit("bearer  secret")).toMatchObject({ role: "admin" });
  });
});

test("without any token everybody passes the admin port, and nobody what asks for a token", async () => {
  const { access, bearerOf } = await memoryTokens();
  expect(access.isOpen).toBe(true);
  expect(access.admit(undefined)).toMatchObject({ role: "admin" });
  expect(() => access.require(undefined, "invoke")).toThrow(/none yet: make one/);
  const admin = await bearerOf("admin");
  expect(access.isOpen).toBe(false);
  expect(() => access.admit(undefined)).toThrow(unauthorized);
  access.require(admin, "invoke");
});

test("a token that was removed, or is of no one, or almost right, is refused at once", async () => {
  const { access, tokens, bearerOf } = await memoryTokens();
  await bearerOf("admin");
  const reader = await bearerOf("read");
  const name = tokens.list().find(({ role }) => role === "read")?.name ?? "";
  expect(access.admit(reader)).toMatchObject({ name, role: "read" });
  const almost = reader.slice(0, -1) + (reader.endsWith("0") ? "1" : "0");
  expect(() => access.admit(almost)).toThrow("the token is wrong");
  expect(() => access.admit(`Bearer ${newToken().text}`)).toThrow("the token is wrong");
  await tokens.remove(name);
  expect(() => access.admit(reader)).toThrow(`the token "${name}" was removed`);
});

test("a token is refused from the millisecond on at which it expires", async () => {
  const { access, tokens, clock } = await memoryTokens();
  await tokens.create({ role: "admin", name: undefined, validMs: undefined });
  const { text } = await tokens.create({ role: "read", name: "brief", validMs: 5000 });
  clock.nowMs += 4999;
  expect(access.admit(`Bearer ${text}`)).toMatchObject({ name: "brief" });
  clock.nowMs += 1;
  expect(() => access.admit(`Bearer ${text}`)).toThrow('the token "brief" expired at 1970-');
});

test("removed and expired tokens do not open the node again", async () => {
  const { access, tokens, clock } = await memoryTokens();
  const { token } = await tokens.create({ role: "admin", name: undefined, validMs: 5000 });
  clock.nowMs += 60_000;
  expect(tokens.list()).toEqual([token]);
  expect(access.isOpen).toBe(false);
});

describe("roles", () => {
  const within: Record<Role, Role[]> = {
    admin: ["admin", "deploy", "invoke", "read"],
    deploy: ["deploy", "invoke", "read"],
    invoke: ["invoke"],
    read: ["read"],
  };

  test.each(ROLES)("%s contains what it should, and nothing else", async (role) => {
    const { access, bearerOf } = await memoryTokens("secret");
    const bearer = await bearerOf(role);
    for (const needed of ROLES) {
      const isContained = within[role].includes(needed);
      expect(includesRole(role, needed)).toBe(isContained);
      if (isContained) access.require(bearer, needed);
      else {
        expect(() => access.require(bearer, needed)).toThrow(
          expect.objectContaining({ code: "ENOKI_FORBIDDEN", extra: { role: needed } }) as Error,
        );
      }
    }
  });
});
