import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { connect, type Client } from "../../../src/client/index.js";
import { until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

describe("tokens", () => {
  let node: RunningNode;
  let admin: Client;
  let station: Client;

  beforeAll(async () => {
    node = await startNode(PROCESS_ISOLATION);
    const url = node.adminUrl;
    admin = connect({ url, token: (await node.client.tokens.create({ role: "admin" })).token });
    const { token } = await admin.tokens.create({ role: "invoke", name: "station" });
    station = connect({ url, token });
    await admin.keygroups.create("weather", {});
    await admin.keygroups.create("traffic", {});
  });
  afterAll(() => node?.remove());

  const forbidden = { code: "ENOKI_FORBIDDEN" };

  test("use data of a keygroup as they were granted, of no other one, and no longer than that", async () => {
    const { keygroups } = admin;
    const weather = station.kv("weather");
    await expect(weather.get("k")).rejects.toMatchObject(forbidden);
    await keygroups.grant("weather", "token:station", ["write"]);
    await weather.set("k", "v");
    await expect(weather.get("k")).rejects.toMatchObject(forbidden);
    await expect(weather.increment("n")).rejects.toMatchObject({
      ...forbidden,
      message: expect.stringMatching(/the right read on keygroup "weather"/) as string,
    });
    await keygroups.grant("weather", "token:station", ["read", "write"]);
    expect(await weather.get("k")).toBe("v");
    expect(await weather.increment("n")).toBe(1);
    await expect(station.kv("traffic").set("k", "v")).rejects.toMatchObject(forbidden);
    const ttl = { ttl: "1d" };
    await expect(station.keygroups.configure("weather", ttl)).rejects.toMatchObject(forbidden);
    expect(await keygroups.get("weather")).toMatchObject({
      grants: [{ to: "token:station", rights: ["read", "write"] }],
    });
    await keygroups.revoke("weather", "token:station");
    await expect(weather.get("k")).rejects.toMatchObject(forbidden);
  });

  /** Watches until the stream ends; resolves with what ended it, and how long after `change`. */
  async function endOf(watching: Client, change: () => Promise<unknown>) {
    let events = 0;
    const ended = (async () => {
      for await (const _ of watching.kv("weather").watch("")) events += 1;
    })().then(
      () => "went on",
      (error: { code?: string }) => error.code,
    );
    await until("it watches", async () => {
      await admin.kv("weather").set("watched", "1");
      return events > 0;
    });
    await change();
    const changedMs = performance.now();
    return { code: await ended, afterMs: performance.now() - changedMs };
  }

  test("a watch ends within a second of the token's removal, or of the loss of its right", async () => {
    const { keygroups, tokens } = admin;
    await keygroups.grant("weather", "token:station", ["read"]);
    const revoked = await endOf(station, () => keygroups.revoke("weather", "token:station"));
    expect(revoked.code).toBe("ENOKI_FORBIDDEN");
    const made = await tokens.create({ role: "read", name: "eye" });
    const eye = connect({ url: node.adminUrl, token: made.token });
    const removed = await endOf(eye, () => tokens.remove("eye"));
    expect(removed.code).toBe("ENOKI_UNAUTHORIZED");
    expect(Math.max(revoked.afterMs, removed.afterMs)).toBeLessThan(1000);
  });

  test("with the right admin may do with that keygroup what admins may", async () => {
    const { keygroups } = station;
    await admin.keygroups.grant("traffic", "token:station", ["admin"]);
    expect(await keygroups.configure("traffic", { ttl: "1d" })).toMatchObject({ ttl: "1d" });
    await keygroups.grant("traffic", "function:lights", ["read"]);
    const elsewhere = keygroups.grant("weather", "function:lights", ["read"]);
    await expect(elsewhere).rejects.toMatchObject(forbidden);
    await keygroups.remove("traffic");
    await expect(keygroups.create("traffic", {})).rejects.toMatchObject(forbidden);
  });

  test("that get the name of a removed one get none of its rights", async () => {
    await admin.keygroups.grant("weather", "token:station", ["read"]);
    await admin.tokens.remove("station");
    const { token } = await admin.tokens.create({ role: "invoke", name: "station" });
    const next = connect({ url: node.adminUrl, token });
    await expect(next.kv("weather").get("k")).rejects.toMatchObject(forbidden);
    const [{ to }] = (await admin.keygroups.grants("weather")) as unknown as [{ to: string }];
    expect(to).toMatch(/^token:[0-9a-f]{16}$/);
    expect(await admin.keygroups.revoke("weather", to)).toEqual([]);
  });
});
