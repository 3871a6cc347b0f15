import { afterEach, describe, expect, it, vi } from "vitest";
import type { Context, FetchHandler, Handler } from "../../../src/index.js";

const GUEST = Symbol.for("enoki.guest");

afterEach(() => {
  vi.resetModules();
  Reflect.deleteProperty(globalThis, GUEST);
});

describe("the module enoki", () => {
  it("can be imported anywhere, but its use outside of a function says what is wrong", async () => {
    const { kv, response, EnokiError } = await import("../../../src/index.js");
    for (const use of [() => kv.get("k"), () => kv.DELETE, () => response("x")]) {
      expect(use).toThrow(EnokiError);
      expect(use).toThrow(/only inside a function that Enoki runs/);
    }
  });

  it("is what the guest offers inside of a function", async () => {
    const guest = { kv: { get: () => "value" }, response: () => "answer" };
    Reflect.set(globalThis, GUEST, guest);
    const { kv, response } = await import("../../../src/index.js");
    expect(kv).toBe(guest.kv);
    expect(response).toBe(guest.response);
  });

  it("has types that fit the ways in which functions are written", async () => {
    const { kv } = await import("../../../src/index.js");
    const sum = async (input: string, ctx: Context): Promise<number> => {
      const total = await kv.update<number>("total", (value) => (value ?? 0) + Number(input));
      const count: number = await kv.get<number>("count", 0);
      const maybe: string | undefined = await kv.get<string>("name");
      await kv.set(
        `key-${maybe ?? ctx.invocationId}`,
        { total: total ?? null, list: [1, "x"] },
        { ttl: "10m" },
      );
      for await (const [key, value] of kv.scan<number>("a", { limit: 10 }))
        void [key.length, value + 1];
      for await (const key of kv.keys({ prefix: "a" })) void key.length;
      await kv.batch().check("a", null).set("b", new Uint8Array(1)).delete("c").commit();
      await kv.update("gone", () => kv.DELETE);
      return count;
    };
    const typed: Handler<string> = sum;
    const web: FetchHandler = { fetch: async (request) => new Response(await request.text()) };
    expect([typeof typed, typeof web.fetch]).toEqual(["function", "function"]);
  });
});
