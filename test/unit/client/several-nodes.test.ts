import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { connect } from "../../../src/client/index.js";
import type { KeygroupName } from "../../../src/core/ids.js";
import { decodeSession, encodeSession } from "../../../src/core/session.js";
import { problem, startFakeNode, type FakeNode } from "./fake-node.js";

const KEYGROUP = "kg" as KeygroupName;
let first: FakeNode;
let second: FakeNode;

beforeEach(async () => {
  [first, second] = [await startFakeNode(), await startFakeNode()];
});
afterEach(() => Promise.all([first.close(), second.close()]));

const tokenOf = (restart: number, counter: number): string =>
  encodeSession({
    hlc: counter,
    keygroups: new Map([
      [KEYGROUP, { generation: 1, epoch: 1, seen: [{ epoch: 1, restart, counter }] }],
    ]),
  });
/** A kept connection that breaks does not say whether the call had begun. */
const REPEATABLE = { idempotencyKey: "k" };
const calls = (node: FakeNode): number => node.requests.filter(({ url }) => url === "/fn").length;

/** Answers calls of `fn` with the name of the node and a session. */
function answering(node: FakeNode, text: string, session?: string): void {
  node.on("POST /fn", (_, response) => {
    if (session !== undefined) response.setHeader("Enoki-Session", session);
    response.end(text);
  });
}

/** Takes the request and breaks the connection. */
function breaking(node: FakeNode): void {
  node.on("POST /fn", (_, response) => response.destroy());
}

describe("a client of several nodes", () => {
  test("uses the first that answers, and stays with it", async () => {
    answering(first, "first");
    answering(second, "second");
    const client = connect([first.url, second.url]);
    expect((await client.call("fn")).text()).toBe("first");
    await first.close();
    expect((await client.call("fn", "x", REPEATABLE)).text()).toBe("second");
    expect((await client.call("fn")).text()).toBe("second");
    expect(calls(second)).toBe(2);
  });

  test("does not repeat a call that may have begun, unless that is safe", async () => {
    breaking(first);
    answering(second, "second");
    const client = connect([first.url, second.url]);
    await expect(client.call("fn")).rejects.toMatchObject({ code: "ENOKI_NODE_UNREACHABLE" });
    expect(calls(second)).toBe(0);
    const repeated = await client.call("fn", "x", REPEATABLE);
    expect(repeated.text()).toBe("second");
  });

  test.each(["ENOKI_DRAINING", "ENOKI_SESSION_NOT_REACHED"])(
    "moves on where a node says %s, for then nothing has begun",
    async (code) => {
      first.on("POST /fn", (_, response) => problem(response, 503, code, "not now"));
      answering(second, "second");
      expect((await connect([first.url, second.url]).call("fn")).text()).toBe("second");
      const alone = connect(first.url).call("fn");
      await expect(alone).rejects.toMatchObject({ code });
    },
  );

  test("finds the result of an invocation at the node that took it", async () => {
    for (const node of [first, second]) {
      node.on("GET /_enoki/invocations/1", (_, response) =>
        node === second
          ? response.writeHead(404).end("the function's own 404")
          : problem(response, 404, "ENOKI_INVOCATION_NOT_FOUND", "not here"),
      );
    }
    const result = await connect([first.url, second.url]).result("1");
    expect([result?.status, result?.text()]).toEqual([404, "the function's own 404"]);
  });

  test("says what the last one said when none answers", async () => {
    await Promise.all([first.close(), second.close()]);
    await expect(connect([first.url, second.url]).call("fn")).rejects.toMatchObject({
      code: "ENOKI_NODE_UNREACHABLE",
    });
  });
});

describe("the session of a client", () => {
  test("goes along to the next node, and can be kept", async () => {
    answering(first, "first", tokenOf(0, 7));
    answering(second, "second");
    const client = connect([first.url, second.url]);
    expect(client.session).toBe("");
    await client.call("fn");
    expect(client.session).toBe(tokenOf(0, 7));
    await first.close();
    await client.call("fn", "x", REPEATABLE);
    expect(second.requests.at(-1)?.headers["enoki-session"]).toBe(tokenOf(0, 7));
    const other = connect({ url: second.url, session: client.session });
    await other.call("fn");
    expect(second.requests.at(-1)?.headers["enoki-session"]).toBe(tokenOf(0, 7));
  });

  test("is all that was seen, also by calls at once", async () => {
    const tokens = [tokenOf(0, 7), tokenOf(1, 3), tokenOf(0, 5)];
    first.on("POST /fn", (_, response) => {
      response.setHeader("Enoki-Session", tokens.shift() ?? "");
      response.end();
    });
    const client = connect(first.url);
    await Promise.all([1, 2, 3].map(() => client.call("fn")));
    expect(decodeSession(client.session, Infinity).keygroups.get(KEYGROUP)?.seen).toEqual([
      { epoch: 1, restart: 0, counter: 7 },
      { epoch: 1, restart: 1, counter: 3 },
    ]);
  });

  test("begins only with a token that is one", () => {
    expect(() => connect({ url: first.url, session: "made up" })).toThrow(
      expect.objectContaining({ code: "ENOKI_INVALID_INPUT" }),
    );
    expect(() => connect([])).toThrow(expect.objectContaining({ code: "ENOKI_INVALID_INPUT" }));
  });
});
