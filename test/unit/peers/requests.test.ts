import { beforeEach, describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { parseNodeName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import type { MemoryLinkHub } from "../../../src/links/memory.js";
import type { PeerRequests } from "../../../src/peers/requests.js";
import { PeerRouter, REQUEST_MESSAGE } from "../../../src/peers/router.js";
import type { Links } from "../../../src/ports/links.js";
import { LinkRecorder } from "../../../src/testing/links-recorder.js";
import { cloud, code, ECHO, edge, MIB, never, patient, requestPair, text } from "./request-pair.js";
import { eventually, eventuallyTrue } from "../../helpers/eventually.js";

let hub: MemoryLinkHub;
let asking: PeerRequests;
let serving: PeerRequests;
let askingLinks: Links;
let servingLinks: Links;

beforeEach(() => {
  const pair = requestPair();
  hub = pair.hub;
  ({ requests: asking, links: askingLinks } = pair.asking);
  ({ requests: serving, links: servingLinks } = pair.serving);
});

describe("a request", () => {
  test("is answered with the bytes of its handler, at once or later", async () => {
    serving.serve(2, async ({ peer, body }) => text(`${peer} ${Buffer.from(body).toString()}`));
    expect(await asking.request(cloud, ECHO, text("a"), patient)).toEqual(text("a"));
    expect(await asking.request(cloud, 2, text("b"), patient)).toEqual(text("edge b"));
    const large = new Uint8Array(16 * MIB).fill(7);
    expect((await asking.request(cloud, ECHO, large, { ...patient, lane: "bulk" })).length).toBe(
      16 * MIB,
    );
  });

  test("fails with the code and message of the other node's error", async () => {
    serving.serve(2, () => {
      throw new EnokiError("ENOKI_VERSION_CONFLICT", "key k");
    });
    serving.serve(3, () => Promise.reject(new Error("secret")));
    await expect(asking.request(cloud, 2, text(""), patient)).rejects.toMatchObject({
      code: "ENOKI_VERSION_CONFLICT",
      message: "key k",
    });
    const bug = asking.request(cloud, 3, text(""), patient);
    await expect(bug).rejects.toMatchObject({ code: "ENOKI_INTERNAL" });
    await expect(bug).rejects.not.toThrow("secret");
    await expect(asking.request(cloud, 9, text(""), patient)).rejects.toThrow(
      code("ENOKI_UNSUPPORTED"),
    );
  });

  test("has one handler per method: a second one is a mistake", () => {
    expect(() => serving.serve(ECHO, ({ body }) => body)).toThrow("served already");
  });

  test("to a node without a link is not sent", async () => {
    const nowhere = asking.request(parseNodeName("far"), ECHO, text("a"), patient);
    await expect(nowhere).rejects.toThrow(code("ENOKI_PEER_UNREACHABLE"));
    hub.cut(edge, cloud);
    const cut = asking.request(cloud, ECHO, text("a"), patient);
    await expect(cut).rejects.toThrow(code("ENOKI_PEER_UNREACHABLE"));
  });

  test("whose link broke is not answered on the next one, where its number is another's", async () => {
    const answers: ((answer: Uint8Array) => void)[] = [];
    serving.serve(2, () => new Promise((resolve) => answers.push(resolve)));
    const lost = asking.request(cloud, 2, text("a"), patient);
    await eventually(() => expect(answers).toHaveLength(1));
    hub.cut(edge, cloud);
    await expect(lost).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
    hub.connect(edge, cloud);
    const next = asking.request(cloud, 2, text("b"), patient);
    await eventually(() => expect(answers).toHaveLength(2));
    answers[0]?.(text("of a"));
    await new Promise((resolve) => setImmediate(resolve));
    answers[1]?.(text("of b"));
    expect(await next).toEqual(text("of b"));
  });

  test("that does not fit into the backlog in time is not sent", async () => {
    const release = servingLinks.hold(edge);
    while (askingLinks.send(cloud, "control", new Uint8Array([REQUEST_MESSAGE, 4, 0, 0, 0, 0]))) {
      // fill the lane
    }
    const refused = asking.request(cloud, ECHO, text("a"), { timeoutMs: 10 });
    await expect(refused).rejects.toThrow(code("ENOKI_PEER_UNREACHABLE"));
    release();
  });

  test("that a link is too small for is refused, and so is such an answer", async () => {
    serving.serve(2, () => new Uint8Array(LIMITS.linkMessageBytesMax));
    const large = new Uint8Array(LIMITS.linkMessageBytesMax);
    const request = asking.request(cloud, ECHO, large, patient);
    await expect(request).rejects.toThrow(code("ENOKI_VALUE_TOO_LARGE"));
    const answer = asking.request(cloud, 2, text(""), patient);
    await expect(answer).rejects.toThrow(code("ENOKI_VALUE_TOO_LARGE"));
    expect(await asking.request(cloud, ECHO, text("a"), patient)).toEqual(text("a"));
  });

  test("whose link breaks fails at once with an unknown outcome, and its handler learns of it", async () => {
    const aborted = vi.fn();
    serving.serve(2, ({ signal }) => {
      signal.addEventListener("abort", aborted);
      return never();
    });
    const pending = [1, 2, 3].map(() => asking.request(cloud, 2, text(""), patient));
    await asking.request(cloud, ECHO, text(""), patient);
    hub.cut(edge, cloud);
    for (const request of pending)
      await expect(request).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
    expect(aborted).toHaveBeenCalledTimes(3);
    hub.connect(edge, cloud);
    expect(await asking.request(cloud, ECHO, text("a"), patient)).toEqual(text("a"));
  });

  test("that takes too long fails with an unknown outcome and is called off", async () => {
    let served: AbortSignal | undefined;
    serving.serve(2, ({ signal, timeoutMs }) => {
      expect(timeoutMs).toBe(20);
      served = signal;
      return never();
    });
    const request = asking.request(cloud, 2, text(""), { timeoutMs: 20 });
    await expect(request).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
    await asking.request(cloud, ECHO, text(""), patient);
    expect(served?.aborted).toBe(true);
  });

  test("is called off by the signal of the one who asked", async () => {
    let served: AbortSignal | undefined;
    serving.serve(2, ({ signal }) => {
      served = signal;
      return never();
    });
    const controller = new AbortController();
    const options = { ...patient, signal: controller.signal };
    const request = asking.request(cloud, 2, text(""), options);
    await asking.request(cloud, ECHO, text(""), patient);
    controller.abort(new Error("enough"));
    await expect(request).rejects.toThrow("enough");
    await expect(asking.request(cloud, 2, text(""), options)).rejects.toThrow("enough");
    await asking.request(cloud, ECHO, text(""), patient);
    expect(served?.aborted).toBe(true);
  });

  test("that is answered late meets none of its successors", async () => {
    const answers: (() => void)[] = [];
    serving.serve(2, ({ body }) => new Promise((resolve) => answers.push(() => resolve(body))));
    const late = asking.request(cloud, 2, text("late"), { timeoutMs: 10 });
    await expect(late).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
    const next = asking.request(cloud, 2, text("next"), patient);
    await eventuallyTrue(() => answers.length === 2);
    for (const answer of answers) answer();
    expect(await next).toEqual(text("next"));
  });

  test("is one of many: a flood of 20,000 is answered, each with its own", async () => {
    for (let round = 0; round < 10; round++) {
      const bodies = Array.from({ length: 2000 }, (_, index) => text(`${round}.${index}`));
      const answers = await Promise.all(
        bodies.map((body) => asking.request(cloud, ECHO, body, patient)),
      );
      expect(answers).toEqual(bodies);
    }
  });
});

describe("bounds", () => {
  test("only so many requests to one peer are under way", async () => {
    serving.serve(2, never);
    const pending = Array.from({ length: LIMITS.requestsPerPeerMax }, () =>
      asking.request(cloud, 2, text(""), patient),
    );
    const more = asking.request(cloud, ECHO, text(""), patient);
    await expect(more).rejects.toThrow(code("ENOKI_QUEUE_FULL"));
    hub.cut(edge, cloud);
    const outcomes = await Promise.allSettled(pending);
    expect(outcomes.every(({ status }) => status === "rejected")).toBe(true);
  });

  test("only so many bytes of one peer are being served", async () => {
    serving.serve(2, never);
    const body = new Uint8Array(16 * MIB);
    for (let sent = 0; sent < 4; sent++) {
      void asking.request(cloud, 2, body, { ...patient, lane: "bulk" }).catch(() => {});
      await asking.request(cloud, ECHO, text(""), { ...patient, lane: "bulk" });
    }
    const more = asking.request(cloud, 2, body, { ...patient, lane: "bulk" });
    await expect(more).rejects.toThrow(code("ENOKI_QUEUE_FULL"));
    expect(await asking.request(cloud, ECHO, text(""), patient)).toEqual(text(""));
  });

  test("answers that the peer does not read wait, within bounds, and then say that it was done", async () => {
    serving.serve(2, () => new Uint8Array(16 * MIB));
    const release = askingLinks.hold(cloud);
    const requests = Array.from({ length: 10 }, () => asking.request(cloud, 2, text(""), patient));
    await new Promise((resolve) => setTimeout(resolve, 50));
    release();
    const outcomes = await Promise.allSettled(requests);
    const answered = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(answered).toBeGreaterThanOrEqual(2);
    expect(answered).toBeLessThanOrEqual(6);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected")
        expect(outcome.reason).toEqual(code("ENOKI_OUTCOME_UNKNOWN"));
    }
  });
});

describe("a stream", () => {
  async function* chunks(count: number, sizeBytes: number): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < count; index++) yield new Uint8Array(sizeBytes).fill(index);
  }

  async function gather(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    for await (const part of stream) parts.push(part);
    return Buffer.concat(parts);
  }

  test("brings everything in order, whatever the pieces", async () => {
    serving.serve(2, () => chunks(20, 700_000));
    const bytes = await gather(asking.stream(cloud, 2, text(""), patient));
    expect(bytes.length).toBe(20 * 700_000);
    for (let index = 0; index < 20; index++) expect(bytes[index * 700_000 + 699_999]).toBe(index);
    serving.serve(3, ({ body }) => body);
    expect((await gather(asking.stream(cloud, 3, text("abc"), patient))).toString()).toBe("abc");
    expect((await gather(asking.stream(cloud, 3, text(""), patient))).length).toBe(0);
  });

  test("comes no faster than it is read", async () => {
    let made = 0;
    serving.serve(2, async function* () {
      for (; made < 100; made++) yield new Uint8Array(MIB);
    });
    const stream = asking.stream(cloud, 2, text(""), patient);
    await stream.next();
    await asking.request(cloud, ECHO, text(""), { ...patient, lane: "bulk" });
    expect(made).toBeLessThanOrEqual(2);
    expect((await gather(stream)).length).toBeGreaterThan(99 * MIB);
  });

  test("that is left early ends at its source", async () => {
    const ended = vi.fn();
    serving.serve(2, async function* () {
      try {
        for (;;) yield new Uint8Array(MIB);
      } finally {
        ended();
      }
    });
    for await (const piece of asking.stream(cloud, 2, text(""), patient)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await eventuallyTrue(() => ended.mock.calls.length === 1);
  });

  test("fails with its source's error, behind what came before", async () => {
    serving.serve(2, async function* () {
      yield text("one");
      throw new EnokiError("ENOKI_NOT_FOUND", "no such code");
    });
    const stream = asking.stream(cloud, 2, text(""), patient);
    expect((await stream.next()).value).toEqual(text("one"));
    await expect(stream.next()).rejects.toThrow(code("ENOKI_NOT_FOUND"));
    expect((await stream.next()).done).toBe(true);
  });

  test("fails when the link breaks, and when nothing comes in time", async () => {
    serving.serve(2, async function* () {
      yield text("one");
      await never();
    });
    const cut = asking.stream(cloud, 2, text(""), patient);
    await cut.next();
    const waiting = expect(cut.next()).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
    hub.cut(edge, cloud);
    await waiting;
    hub.connect(edge, cloud);
    const slow = asking.stream(cloud, 2, text(""), { timeoutMs: 20 });
    await slow.next();
    await expect(slow.next()).rejects.toThrow("did not answer within 20 ms");
    const nowhere = asking.stream(parseNodeName("far"), 2, text(""), patient);
    await expect(nowhere.next()).rejects.toThrow(code("ENOKI_PEER_UNREACHABLE"));
  });

  test("whose reader stops reading is given up by its source after the time it said", async () => {
    const ended = vi.fn();
    serving.serve(2, async function* () {
      try {
        for (;;) yield new Uint8Array(MIB);
      } finally {
        ended();
      }
    });
    const stream = asking.stream(cloud, 2, text(""), { timeoutMs: 30 });
    await stream.next();
    await eventuallyTrue(() => ended.mock.calls.length === 1);
  });
});

test("messages of keygroups go to whom they are for, and all hear of links", () => {
  const [requests, keygroups] = [new LinkRecorder(), new LinkRecorder()];
  const router = new PeerRouter({ requests, keygroups });
  router.up(cloud);
  router.message(cloud, new Uint8Array([1, 0x6b, 0x11]));
  router.message(cloud, new Uint8Array([63]));
  router.message(cloud, new Uint8Array([REQUEST_MESSAGE]));
  router.room(cloud, "bulk");
  router.down(cloud);
  const kinds = ({ events }: LinkRecorder): string => events.map(({ kind }) => kind).join(" ");
  expect(kinds(requests)).toBe("up message room down");
  expect(kinds(keygroups)).toBe("up message message room down");
  for (const first of [0, 64, 0x81, 0xff]) {
    expect(() => router.message(cloud, new Uint8Array([first]))).toThrow("unknown kind");
  }
});
