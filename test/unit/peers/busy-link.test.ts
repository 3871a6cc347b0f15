import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import type { MemoryLinkHub } from "../../../src/links/memory.js";
import type { PeerRequests } from "../../../src/peers/requests.js";
import type { Links } from "../../../src/ports/links.js";
import { cloud, ECHO, edge, MIB, patient, requestPair, text } from "./request-pair.js";

let hub: MemoryLinkHub;
let asking: PeerRequests;
let serving: PeerRequests;
let servingLinks: Links;

beforeEach(() => {
  const pair = requestPair();
  hub = pair.hub;
  asking = pair.asking.requests;
  ({ requests: serving, links: servingLinks } = pair.serving);
});

afterEach(() => void vi.useRealTimers());

describe("requests over a busy link", () => {
  const LARGE_BYTES = 8 * MIB;
  /** How many of them the lane of a link takes while nobody reads. */
  const TAKEN_MAX = LIMITS.linkBacklogBytesMax / LARGE_BYTES + 2;
  const updating = { ...patient, lane: "update" } as const;

  function large(first: number): Uint8Array {
    const body = new Uint8Array(LARGE_BYTES);
    body[0] = first;
    return body;
  }

  test("wait for room, and leave in order once there is some", async () => {
    const arrived: number[] = [];
    serving.serve(2, ({ body }) => {
      arrived.push(body[0] as number);
      return text("");
    });
    const release = servingLinks.hold(edge);
    const count = 2 * TAKEN_MAX;
    const requests = Array.from({ length: count }, (_, index) =>
      asking.request(cloud, 2, large(index), updating),
    );
    requests.push(asking.request(cloud, 2, Uint8Array.of(count), updating));
    release();
    await Promise.all(requests);
    expect(arrived).toEqual(Array.from({ length: count + 1 }, (_, index) => index));
  });

  test("wait within bounds, and what is beyond them was not sent", async () => {
    servingLinks.hold(edge);
    const outcomes = Array.from(
      { length: TAKEN_MAX + LIMITS.requestsWaitingBytesPerPeerMax / LARGE_BYTES },
      (_, index) => asking.request(cloud, ECHO, large(index), updating).catch(codeOf),
    );
    expect(await Promise.race(outcomes)).toBe("ENOKI_PEER_UNREACHABLE");
    hub.cut(edge, cloud);
    const codes = await Promise.all(outcomes);
    // What had left may have been done; what stood in line was certainly not.
    expect(codes[0]).toBe("ENOKI_OUTCOME_UNKNOWN");
    expect(codes[TAKEN_MAX]).toBe("ENOKI_PEER_UNREACHABLE");
  });

  test("that wait too long are given up and never leave", async () => {
    const arrived: number[] = [];
    serving.serve(2, ({ body }) => {
      arrived.push(body[0] as number);
      return text("");
    });
    const release = servingLinks.hold(edge);
    const first = Array.from({ length: TAKEN_MAX }, () =>
      asking.request(cloud, 2, large(0), updating),
    );
    const late = asking.request(cloud, 2, large(1), { ...updating, timeoutMs: 10 });
    expect(await late.catch(codeOf)).toBe("ENOKI_PEER_UNREACHABLE");
    const tooLarge = new Uint8Array(LIMITS.linkMessageBytesMax + 1);
    expect(await asking.request(cloud, 2, tooLarge, updating).catch(codeOf)).toBe(
      "ENOKI_VALUE_TOO_LARGE",
    );
    release();
    await Promise.all(first);
    await asking.request(cloud, 2, Uint8Array.of(2), updating);
    expect(arrived).not.toContain(1);
    expect(arrived.at(-1)).toBe(2);
  });

  describe("that leave just before their time is up", () => {
    const timeoutMs = 400;
    let answers: (() => void)[];

    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      answers = [];
      serving.serve(2, () => new Promise((resolve) => answers.push(() => resolve(text("late")))));
    });

    /** Asks over a full lane, which gets room a millisecond before the time is up; in its array, for it is no answer yet. */
    async function leaveLate(options: object): Promise<[Promise<unknown>]> {
      const release = servingLinks.hold(edge);
      const first = Array.from({ length: TAKEN_MAX }, () =>
        asking.request(cloud, ECHO, large(0), updating),
      );
      const late = asking.request(cloud, 2, large(1), { ...updating, timeoutMs, ...options });
      vi.advanceTimersByTime(timeoutMs - 1);
      release();
      await Promise.all(first);
      while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
      return [late.catch(codeOf)];
    }

    test("keep their deadline", async () => {
      const [late] = await leaveLate({});
      vi.advanceTimersByTime(1);
      expect(await late).toBe("ENOKI_OUTCOME_UNKNOWN");
    });

    test("have the whole of their wait for the answer, where they are timed from then on", async () => {
      const [late] = await leaveLate({ isTimedFromLeaving: true });
      vi.advanceTimersByTime(timeoutMs - 1);
      answers[0]?.();
      expect(await late).toEqual(text("late"));
    });
  });
});

function codeOf(error: unknown): string {
  return (error as EnokiError).code;
}
