import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WarmPool } from "../../../src/runtimes/warm-pool.js";

interface Member {
  readonly number: number;
  isAlive: boolean;
}

const IDLE_MS = 60_000;

describe("a warm pool", () => {
  let started: Member[];
  let stopped: Member[];
  let isBroken = false;
  let pool: WarmPool<Member>;

  beforeEach(() => {
    vi.useFakeTimers();
    started = [];
    stopped = [];
    isBroken = false;
    pool = new WarmPool<Member>({
      start: () => {
        if (isBroken) return Promise.reject(new Error("broken"));
        const member = { number: started.length, isAlive: true };
        started.push(member);
        return Promise.resolve(member);
      },
      isAlive: (member) => member.isAlive,
      stop: (member) => {
        stopped.push(member);
        return Promise.resolve();
      },
      sizeMax: 2,
      idleMs: IDLE_MS,
      refillDelayMs: 50,
      onStartFailed: () => {},
    });
  });

  afterEach(async () => {
    await pool.close();
    vi.useRealTimers();
  });

  it("holds nothing until it is used", async () => {
    await vi.advanceTimersByTimeAsync(IDLE_MS);
    expect(started).toEqual([]);
  });

  it("keeps one ready from the first take on", async () => {
    expect(pool.take()).toBeUndefined();
    await pool.settled();
    expect(pool.size).toBe(1);
    expect(pool.take()).toBe(started[0]);
    await pool.settled();
    expect(pool.size).toBe(1);
  });

  it("keeps two once a take has found it empty while in use, and no more", async () => {
    for (let takes = 0; takes < 5; takes++) pool.take();
    await pool.settled();
    expect(pool.size).toBe(2);
  });

  it("refills after a delay, so that the launch that emptied it has the machine", async () => {
    pool.take();
    await vi.advanceTimersByTimeAsync(49);
    expect(started).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(started).toHaveLength(1);
  });

  it("ends its members when it is not used for a minute", async () => {
    pool.take();
    await pool.settled();
    await vi.advanceTimersByTimeAsync(IDLE_MS);
    expect(pool.size).toBe(0);
    expect(stopped).toEqual(started);
  });

  it("never hands out a member that has died", async () => {
    pool.take();
    await pool.settled();
    started[0]!.isAlive = false;
    expect(pool.take()).toBeUndefined();
    expect(stopped).toEqual([started[0]]);
  });

  it("does not try again and again when nothing can be started", async () => {
    isBroken = true;
    pool.take();
    await vi.advanceTimersByTimeAsync(10_000);
    isBroken = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(pool.size).toBe(0);
    pool.take();
    await pool.settled();
    expect(pool.size).toBeGreaterThan(0);
  });

  it("ends everything when it is closed", async () => {
    pool.take();
    await pool.settled();
    await pool.close();
    expect(stopped).toEqual(started);
  });
});
