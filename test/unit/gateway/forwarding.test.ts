import { beforeEach, describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { parseKeygroupName } from "../../../src/core/ids.js";
import { createDataApp } from "../../../src/gateway/admin/app.js";
import { encodeRequest } from "../../../src/gateway/admin/forwarded-frames.js";
import {
  createForwarding,
  DATA_METHOD,
  serveForwarded,
} from "../../../src/gateway/admin/forwarding.js";
import type { PeerRequests } from "../../../src/peers/requests.js";
import { adminFixture } from "../../helpers/admin-app.js";
import { cloud, code, patient, requestPair, text } from "../peers/request-pair.js";

const MINE = parseKeygroupName("mine");
let asking: PeerRequests;
let serving: PeerRequests;

beforeEach(() => {
  const pair = requestPair();
  asking = pair.asking.requests;
  serving = pair.serving.requests;
});

/** What the other node's bytes answer to a request for data. */
async function ask(path: string, method = "GET"): Promise<string> {
  const frame = encodeRequest({ method, path, headers: [], content: new Uint8Array() });
  let answer = "";
  for await (const piece of asking.stream(cloud, DATA_METHOD, frame, patient)) {
    answer += Buffer.from(piece).toString();
  }
  return answer;
}

describe("a request of another node", () => {
  const asked: string[] = [];
  beforeEach(() => {
    asked.length = 0;
    serveForwarded({
      requests: serving,
      mayAsk: (keygroup) => keygroup === MINE,
      answer: ({ url }) => {
        asked.push(url);
        return new Response("data");
      },
    });
  });

  test.each([
    "/v1/keygroups/mine/keys",
    "/v1/keygroups/mine/keys/a%2Fb?x=1",
    "/v1/keygroups/mine/operations",
    "/v1/keygroups/mine/export",
  ])("about data of a keygroup that it has a part in is answered: %s", async (path) => {
    expect(await ask(path)).toContain("data");
    expect(asked).toEqual([`http://node${path}`]);
  });

  test.each([
    "/v1/keygroups/theirs/keys/k",
    "/v1/keygroups/mine",
    "/v1/keygroups/mine/keysmith",
    "/v1/functions",
    "/v1/keygroups/mine/keys/../../theirs/keys/k",
    "/v1/keygroups/mine/keys/%2e%2e/%2E./theirs/keys/k",
    "/v1/keygroups/mine/keys\\..\\..\\theirs/keys/k",
    "/v1/keygroups/mine/keys/../../../functions/f",
    ":80/v1/keygroups/theirs/keys",
    "?/v1/keygroups/mine/keys",
  ])("about anything else is refused: %s", async (path) => {
    await expect(ask(path)).rejects.toMatchObject({ code: "ENOKI_FORBIDDEN" });
    expect(asked).toEqual([]);
  });

  test.each(["C O N", "TRACE", ""])("with the method %j is no request", async (method) => {
    await expect(ask("/v1/keygroups/mine/keys", method)).rejects.toMatchObject({
      code: "ENOKI_PROTOCOL",
    });
  });

  test("reaches routes about data, and no other, also without a token", async () => {
    const { deps } = await adminFixture({ adminToken: "secret" });
    const app = createDataApp(deps);
    const get = async (path: string) => (await app.fetch(new Request(`http://node${path}`))).status;
    expect(await get("/v1/keygroups/kg/keys")).toBe(200);
    for (const path of ["/v1/functions", "/v1/node", "/v1/keygroups", "/list", "/metrics"]) {
      expect(await get(path)).toBe(404);
    }
  });
});

describe("an answer of another node", () => {
  const refusal = new EnokiError("ENOKI_STALE", "not here");
  const forward = (): Promise<Response> =>
    createForwarding({ requests: asking, members: () => [cloud], hasPart: () => true }).forward(
      MINE,
      new Request("http://node/v1/keygroups/mine/keys"),
      refusal,
    );
  const withHead = (head: unknown, body = ""): Uint8Array => {
    const json = Buffer.from(JSON.stringify(head));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(json.length);
    return new Uint8Array(Buffer.concat([length, json, Buffer.from(body)]));
  };

  test("is passed on", async () => {
    const head = { status: 200, headers: [["content-type", "text/plain"]] };
    serving.serve(DATA_METHOD, () => withHead(head, "data"));
    const response = await forward();
    expect([response.status, await response.text()]).toEqual([200, "data"]);
  });

  test.each([
    ["a head that never ends", new Uint8Array([255, 255, 255, 255, 123])],
    ["a head that is no JSON", new Uint8Array([1, 0, 0, 0, 123])],
    ["no head", text("")],
    ["a status that is none", withHead({ status: 7, headers: [] })],
    ["headers that are none", withHead({ status: 200, headers: ["a\n"] })],
    ["a problem that is none", withHead({ status: 503, headers: [], code: "ENOKI_STALE" }, "x")],
    [
      "a problem without end",
      withHead({ status: 503, headers: [], code: "ENOKI_STALE" }, "x".repeat(100_000)),
    ],
  ])("with %s is refused", async (_what, bytes) => {
    serving.serve(DATA_METHOD, () => bytes);
    await expect(forward()).rejects.toThrow(code("ENOKI_PROTOCOL"));
  });
});
