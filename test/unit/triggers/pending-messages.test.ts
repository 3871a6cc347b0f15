import { expect, test } from "vitest";

import type { Publish } from "../../../src/triggers/mqtt/packets.js";
import { PendingMessages } from "../../../src/triggers/mqtt/pending-messages.js";

function connected() {
  const acknowledged: number[] = [];
  const held: boolean[] = [];
  const pending = new PendingMessages({
    acknowledge: (packetId) => acknowledged.push(packetId),
    hold: (isFull) => held.push(isFull),
  });
  pending.connected(false);
  return { pending, acknowledged, isHeld: () => held.at(-1) };
}

function message(packetId: number | undefined, text = "x", isRepeated = false): Publish {
  const payload = Buffer.from(text);
  const sizeBytes = payload.length;
  const isRetained = false;
  return { kind: "publish", topic: "t", payload, sizeBytes, packetId, isRepeated, isRetained };
}

test("acknowledges in the order of arrival, not in that of storing", () => {
  const { pending, acknowledged } = connected();
  const [first, second, third] = [1, 2, 3].map((id) => pending.add(message(id)));
  pending.stored(second as never);
  expect(acknowledged).toEqual([]);
  pending.stored(first as never);
  expect(acknowledged).toEqual([1, 2]);
  pending.stored(third as never);
  expect(acknowledged).toEqual([1, 2, 3]);
});

test("does not acknowledge what was published without", () => {
  const { pending, acknowledged } = connected();
  pending.stored(pending.add(message(undefined)));
  pending.stored(pending.add(message(1)));
  expect(acknowledged).toEqual([1]);
});

test("never acknowledges on a later connection", () => {
  const { pending, acknowledged } = connected();
  const before = pending.add(message(1));
  pending.cut();
  expect(before.isAwaited).toBe(false);
  pending.connected(true);
  pending.stored(before);
  expect(acknowledged).toEqual([]);
});

test("takes the repeat of what was stored as stored", () => {
  const { pending, acknowledged } = connected();
  pending.add(message(1));
  pending.stored(pending.add(message(2)));
  pending.cut();
  pending.connected(true);
  const again = pending.add(message(1, "x", true));
  expect(again.isStored).toBe(false);
  expect(pending.add(message(2, "x", true)).isStored).toBe(true);
  expect(acknowledged).toEqual([]);
  pending.stored(again);
  expect(acknowledged).toEqual([1, 2]);
});

test.each([
  ["that is not marked as a repeat", message(2, "x", false), true],
  ["with another payload", message(2, "y", true), true],
  ["with another id", message(3, "x", true), true],
  ["in a session that is new", message(2, "x", true), false],
])("does not take a message %s for a repeat", (_what, next, hasSession) => {
  const { pending } = connected();
  pending.add(message(1));
  pending.stored(pending.add(message(2)));
  pending.cut();
  pending.connected(hasSession);
  expect(pending.add(next).isStored).toBe(false);
});

test("forgets a stored message whose id another one has got", () => {
  const { pending } = connected();
  pending.add(message(1));
  pending.stored(pending.add(message(2)));
  pending.cut();
  pending.connected(true);
  pending.stored(pending.add(message(2, "other")));
  expect(pending.add(message(2, "x", true)).isStored).toBe(false);
});

test("remembers what is stored between two connections, but not later", () => {
  for (const isLate of [false, true]) {
    const { pending } = connected();
    const entry = pending.add(message(1));
    pending.cut();
    if (isLate) pending.connected(true);
    pending.stored(entry);
    if (!isLate) pending.connected(true);
    expect(pending.add(message(1, "x", true)).isStored).toBe(!isLate);
  }
});

test("holds the broker when many messages wait, and lets it go on", () => {
  const { pending, isHeld } = connected();
  const entries = Array.from({ length: 100 }, (_, id) => pending.add(message(id + 1)));
  expect(isHeld()).toBe(true);
  pending.stored(entries[0] as never);
  expect(isHeld()).toBe(false);
});

test("holds the broker when few large ones wait", () => {
  const { pending, isHeld } = connected();
  const large = { ...message(1), payload: Buffer.alloc(16 * 1024 * 1024) };
  const first = pending.add(large);
  expect(isHeld()).toBe(false);
  pending.add({ ...large, packetId: 2 });
  expect(isHeld()).toBe(true);
  pending.stored(first);
  expect(isHeld()).toBe(false);
});
