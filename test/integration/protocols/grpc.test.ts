import { once } from "node:events";
import { connect as connectHttp2, constants, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { GRPC_PYTHON, GrpcClient } from "./clients.js";
import { deployForClients } from "./functions.js";
import { authorizationsOn } from "./tokens.js";

const MIB = 1024 * 1024;
const PATH = "/openfogstack.tinyfaas.tinyfaas.TinyFaaS/Request";

let running: RunningNode;
let target: string;

beforeAll(async () => {
  running = await startNode({ ...PROCESS_ISOLATION, grpcPort: 0 });
  target = running.node.addresses.grpc ?? "";
  await deployForClients(running);
});
afterAll(() => running?.remove());

describe.skipIf(GRPC_PYTHON === undefined)("Python's client", () => {
  let client: GrpcClient;
  beforeAll(async () => void (client = await GrpcClient.open(target)));
  afterAll(() => client?.close());

  test.each(["hello", "", "grüße 🍄", "0"])("calls with %j", async (data) => {
    const result = await client.call({ name: "echo", data });
    expect(result).toMatchObject({ code: "OK", response: data });
    expect(result.initial["enoki-invocation-id"]).toMatch(/^[0-9a-f]{32}$/);
  });

  test("gives metadata to the function as headers", async () => {
    const { response } = await client.call({
      name: "asked",
      data: '{"a":1}',
      metadata: [
        ["x-city", "Berlin"],
        ["x-many", "1"],
        ["x-many", "2"],
        ["authorization", "Basic theirs"],
        ["idempotency-key", "k1"],
      ],
    });
    const asked = JSON.parse(response ?? "") as { headers: Record<string, string> };
    expect(asked).toMatchObject({ input: '{"a":1}', method: "POST", path: "", query: "" });
    expect(asked.headers).toMatchObject({
      "x-city": "Berlin",
      "x-many": "1, 2",
      authorization: "Basic theirs",
      "idempotency-key": "k1",
    });
    const own = /^(?::|grpc-|te$|content-type$)/;
    expect(Object.keys(asked.headers).filter((name) => own.test(name))).toEqual([]);
  });

  test.each([
    ["nobody", "NOT_FOUND", "ENOKI_FUNCTION_NOT_FOUND"],
    ["", "NOT_FOUND", "ENOKI_FUNCTION_NOT_FOUND"],
    ["broken", "UNKNOWN", "ENOKI_FUNCTION_ERROR"],
    ["bytes", "INTERNAL", "ENOKI_INVALID_RESULT"],
  ])("of %j is told %s with %s", async (name, code, enokiCode) => {
    const result = await client.call({ name });
    expect(result).toMatchObject({ code, response: null });
    expect(result.details).toContain(enokiCode);
    expect({ ...result.initial, ...result.trailing }).toMatchObject({ "enoki-code": enokiCode });
  });

  test("gets the status that a function returns, and its text", async () => {
    const result = await client.call({ name: "teapot" });
    expect(result).toMatchObject({ code: "NOT_FOUND", details: "short and stout" });
    expect({ ...result.initial, ...result.trailing }).toMatchObject({ "enoki-status": "404" });
  });

  test("has a deadline, which the function is held to", async () => {
    const late = await client.call({ name: "slow", data: "2500", timeout: 0.2 });
    expect(late.code).toBe("DEADLINE_EXCEEDED");
    const own = await client.call({ name: "slow", data: "9000" });
    expect(own).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(own.details).toContain("ENOKI_TIMEOUT");
    expect((await client.call({ name: "slow", data: "1", timeout: 2 })).response).toBe("done");
  });

  test("cancels a call, and the next one is answered", async () => {
    const cancelled = await client.call({ name: "slow", data: "500", cancel: true });
    expect(cancelled.code).toBe("CANCELLED");
    expect((await client.call({ name: "echo", data: "x" })).response).toBe("x");
  });

  test("sends and receives megabytes, up to the limit", async () => {
    const large = await client.call({ name: "echo", data: "12345678", times: MIB });
    expect(large.code).toBe("OK");
    expect(large.response).toHaveLength(8 * MIB);
    const most = await client.call({ name: "echo", data: "12345678", times: 2 * MIB });
    expect(most.response).toHaveLength(16 * MIB);
    const over = await client.call({ name: "echo", data: "12345678", times: 2 * MIB + 200 });
    expect(over.code).toBe("RESOURCE_EXHAUSTED");
    const slightly = await client.call({ name: "echo", data: "12345678", times: 2 * MIB + 1 });
    expect(slightly.code).toBe("RESOURCE_EXHAUSTED");
    expect(slightly.details).toContain("ENOKI_BODY_TOO_LARGE");
  });

  test.each([
    ["a message of garbage", { raw: "ffffffff" }, "INVALID_ARGUMENT", "ENOKI_INVALID_INPUT"],
    ["a text that is not UTF-8", { raw: "0a01611202c328" }, "INVALID_ARGUMENT", "not UTF-8"],
    ["another method", { name: "echo", method: "/a.B/C" }, "UNIMPLEMENTED", "ENOKI_UNSUPPORTED"],
    [
      "a compressed message",
      { name: "echo", data: "x", times: 9999, gzip: true },
      "UNIMPLEMENTED",
      "compress",
    ],
    [
      "a key that is too long",
      { name: "echo", metadata: [["idempotency-key", "k".repeat(300)]] as const },
      "INVALID_ARGUMENT",
      "Idempotency-Key",
    ],
    [
      "a timeout of ours that is none",
      { name: "echo", metadata: [["enoki-timeout", "5"]] as const },
      "INVALID_ARGUMENT",
      "Enoki-Timeout",
    ],
  ])("with %s is told so", async (_, call, code, detail) => {
    const result = await client.call(call);
    expect(result.code).toBe(code);
    expect(result.details).toContain(detail);
  });
});

describe("a client that sends garbage", () => {
  /** Runs `use` with a bare HTTP/2 session. */
  async function withSession<T>(use: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
    const session = connectHttp2(`http://${target}`);
    try {
      return await use(session);
    } finally {
      session.destroy();
    }
  }

  /** Sends bytes as a call and gives the headers of the answer. */
  async function sendCall(
    session: ClientHttp2Session,
    body: Buffer,
    headers: Record<string, string> = {},
  ): Promise<Record<string, unknown>> {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    stream.on("error", () => {});
    stream.end(body);
    const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    return answer;
  }

  test.each([
    ["nothing", "", 3],
    ["half a prefix", "0000", 3],
    ["a prefix alone", "0000000005", 3],
    ["two messages", "0000000000".repeat(2), 3],
    ["a length of 4 GiB", "00ffffffff", 8],
    ["a flag that does not exist", "7f00000000", 12],
  ])("as frames (%s) gets a status", async (_, hex, status) => {
    const answer = await withSession((session) => sendCall(session, Buffer.from(hex, "hex")));
    expect(answer).toMatchObject({ ":status": 200, "grpc-status": `${status}` });
  });

  test("as headers gets one too", async () => {
    await withSession(async (session) => {
      const frame = Buffer.from("0000000000", "hex");
      const refused = async (headers: Record<string, string>) => sendCall(session, frame, headers);
      expect(await refused({ "content-type": "application/json" })).toMatchObject({
        ":status": 415,
      });
      expect(await refused({ ":method": "PUT" })).toMatchObject({ "grpc-status": "12" });
      expect(await refused({ "grpc-timeout": "soon" })).toMatchObject({ "grpc-status": "5" });
    });
  });

  test("as bytes loses its connection, and the others go on", async () => {
    const [host, port] = target.split(":") as [string, string];
    await withSession(async (session) => {
      const call = () => sendCall(session, Buffer.from("0000000000", "hex"));
      expect(await call()).toMatchObject({ "grpc-status": "5" });
      for (const bytes of [
        "GET / HTTP/1.1\r\n\r\n",
        "\0".repeat(4000),
        `${"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}${"\xff".repeat(2000)}`,
      ]) {
        const socket = connectTcp(Number(port), host);
        socket.on("error", () => {});
        socket.write(Buffer.from(bytes, "latin1"));
        socket.resume();
        await once(socket, "close");
      }
      expect(await call()).toMatchObject({ "grpc-status": "5" });
    });
  });

  test("as a call that it cancels before it is whole is forgotten", async () => {
    await withSession(async (session) => {
      for (let i = 0; i < 50; i++) {
        const stream = session.request({
          ":method": "POST",
          ":path": PATH,
          "content-type": "application/grpc",
        });
        stream.on("error", () => {});
        stream.write(Buffer.from("0000000100", "hex"));
        stream.close(constants.NGHTTP2_CANCEL);
      }
      const answer = await sendCall(session, Buffer.from("0000000000", "hex"));
      expect(answer).toMatchObject({ "grpc-status": "5" });
    });
  });
});

describe.skipIf(GRPC_PYTHON === undefined)("where calls need a token", () => {
  let guarded: RunningNode;
  let client: GrpcClient;

  beforeAll(async () => {
    guarded = await startNode({ ...PROCESS_ISOLATION, grpcPort: 0 });
    await deployForClients(guarded, ["asked"]);
    guarded = await guarded.restart({ adminToken: "secret", functionsNeedToken: true });
    client = await GrpcClient.open(guarded.node.addresses.grpc ?? "");
  });
  afterAll(async () => {
    await client?.close();
    await guarded?.remove();
  });

  test("metadata carry it, the function does not see it, and nothing is told without", async () => {
    const call = async (name: string, token?: string) =>
      client.call({ name, metadata: token === undefined ? [] : [["authorization", token]] });
    expect(await call("asked")).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(await call("nobody")).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(await call("asked", "Bearer wrong")).toMatchObject({ code: "UNAUTHENTICATED" });
    const { code, response } = await call("asked", "Bearer secret");
    expect(code).toBe("OK");
    expect(response).not.toContain("secret");
  });

  test("one that is wrong or expired is UNAUTHENTICATED, and one of a role that may not call PERMISSION_DENIED", async () => {
    const { wrong, expired, reader, caller } = await authorizationsOn(guarded, "secret");
    const asked = async (token: string) => {
      const metadata = [["authorization", token]] as const;
      const { code, details } = await client.call({ name: "asked", metadata });
      return [code, details];
    };
    expect((await asked(caller))[0]).toBe("OK");
    const saying = (words: string) => expect.stringContaining(words) as string;
    expect(await asked(wrong)).toEqual(["UNAUTHENTICATED", saying("the token is wrong")]);
    expect(await asked("Basic eDp5")).toEqual(["UNAUTHENTICATED", saying("ENOKI_UNAUTHORIZED")]);
    expect(await asked(expired)).toEqual(["UNAUTHENTICATED", saying("expired at")]);
    expect(await asked(reader)).toEqual(["PERMISSION_DENIED", saying("the role invoke")]);
  });
});

test.skipIf(GRPC_PYTHON === undefined)(
  "a node that drains lets the call end, and its idle connections do not hold it up",
  async () => {
    const drainTimeoutMs = 100_000;
    const draining = await startNode({ ...PROCESS_ISOLATION, grpcPort: 0, drainTimeoutMs });
    await deployForClients(draining, ["echo", "slow"]);
    const address = draining.node.addresses.grpc ?? "";
    const [busy, idle] = [await GrpcClient.open(address), await GrpcClient.open(address)];
    expect((await idle.call({ name: "echo", data: "x" })).response).toBe("x");
    const answer = busy.call({ name: "slow", data: "1500" });
    const status = async () => (await draining.client.functions.get("slow")).status;
    while ((await status()).running === 0);
    const beganMs = performance.now();
    await draining.node.close();
    expect(performance.now() - beganMs).toBeLessThan(drainTimeoutMs / 4);
    expect(await answer).toMatchObject({ code: "OK", response: "done" });
    await Promise.all([busy.close(), idle.close()]);
    await draining.remove();
  },
);
