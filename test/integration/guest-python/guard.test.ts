import { existsSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

import { TEST_FOLDER } from "../../helpers/fake-node.js";
import { eventuallyTrue } from "../../helpers/eventually.js";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";

const guests: PythonGuest[] = [];
afterEach(async () => {
  await Promise.all(guests.splice(0).map((guest) => guest.close()));
});

/** Runs until the file that its input names exists; without one it answers at once. */
const WAITS_FOR_FILE = `
import os
ran = []
def call(path: str) -> str:
    ran.append(path)
    while path and not os.path.exists(path):
        pass
    return str(len(ran))
`;

/** Makes a file each time the guard lies down to sleep, which it does after two quiet looks. */
const tellsOfSleep = (path: string): string => `
import collections
from enoki_guest import guard
class Told(collections.deque):
    def append(self, item):
        super().append(item)
        open(${JSON.stringify(path)}, "w").close()
guard.deque = Told
guard._LOOKS_UNTIL_SLEEP = 2
`;

async function loadWaiting(before = ""): Promise<PythonGuest> {
  const guest = new PythonGuest();
  guests.push(guest);
  await guest.loadSource(before + WAITS_FOR_FILE);
  return guest;
}

const newPath = (): string => join(TEST_FOLDER, randomUUID());

describe.skipIf(!PYTHON)(`a plain function that is given calls ahead (${PYTHON_MISSING})`, () => {
  it("answers them in their order when they are quick", async () => {
    const guest = await loadWaiting();
    await guest.call({ guard: true });
    const answers = Array.from({ length: 200 }, () => guest.begin().outcome);
    const texts = (await Promise.all(answers)).map(({ text }) => text);
    expect(texts).toEqual(answers.map((_, index) => String(index + 2)));
  });

  it("answers several with one write", async () => {
    const guest = await loadWaiting();
    await guest.call({ guard: true });
    const before = guest.readsTotal;
    await Promise.all(Array.from({ length: 4 }, () => guest.begin().outcome));
    // Usually one; the guest may have read the first before the others had come.
    expect(guest.readsTotal - before).toBeLessThanOrEqual(2);
  });

  it("answers as many as it takes with one write", async () => {
    const guest = await loadWaiting();
    await guest.call({ guard: true });
    const before = guest.readsTotal;
    await Promise.all(Array.from({ length: 16 }, () => guest.begin().outcome));
    expect(guest.readsTotal - before).toBeLessThanOrEqual(2);
  });

  it("gives back, unbegun, what waits behind one that takes long, and tells the results before it", async () => {
    const guest = await loadWaiting();
    await guest.call({ guard: true });
    const path = newPath();
    const quick = guest.begin();
    const slow = guest.begin({ body: path });
    const behind = [guest.begin(), guest.begin()];
    expect(await quick.outcome).toMatchObject({ text: "2" });
    for (const { outcome } of behind) expect(await outcome).toEqual({ returned: true });
    writeFileSync(path, "");
    expect(await slow.outcome).toMatchObject({ text: "3" });
    // What was given back has not run.
    expect(await guest.call()).toMatchObject({ text: "4" });
  });

  it("gives back what came after the slow call had begun, also after the guard has slept", async () => {
    const asleep = newPath();
    const guest = await loadWaiting(tellsOfSleep(asleep));
    await guest.call({ guard: true });
    await eventuallyTrue(() => existsSync(asleep));
    const path = newPath();
    const slow = guest.begin({ body: path });
    const late = guest.begin();
    expect(await late.outcome).toEqual({ returned: true });
    writeFileSync(path, "");
    expect(await slow.outcome).toMatchObject({ text: "2" });
  });

  it("drops a call ahead whose caller is gone", async () => {
    const guest = await loadWaiting();
    await guest.call({ guard: true });
    const path = newPath();
    const slow = guest.begin({ body: path });
    const gone = guest.begin();
    guest.cancel(gone.id);
    expect(await gone.outcome).not.toHaveProperty("text");
    writeFileSync(path, "");
    expect(await slow.outcome).toMatchObject({ text: "2" });
  });

  it("starts no thread before a call asks for it", async () => {
    const guest = new PythonGuest();
    guests.push(guest);
    await guest.loadSource(
      "import os\ndef call(i): return str(len(os.listdir('/proc/self/task')))",
    );
    expect(await guest.call()).toMatchObject({ text: "1" });
    expect(await guest.call({ guard: true })).toMatchObject({ text: "2" });
    expect(await guest.call({ guard: true })).toMatchObject({ text: "2" });
  });
});

/** Waits where its input says so. */
const PAUSES = `
import time
def call(pauses: str) -> str:
    if pauses:
        time.sleep(0.0001)
    return ""
`;

describe.skipIf(!PYTHON)(`the pace of calls (${PYTHON_MISSING})`, () => {
  it("is told once calls wait for nothing, and again once they wait", async () => {
    const guest = new PythonGuest();
    guests.push(guest);
    await guest.loadSource(PAUSES);
    await guest.call({ guard: true });
    const callUntilTold = async (body: string): Promise<number> => {
      const before = guest.paces.length;
      let calls = 0;
      for (; guest.paces.length === before && calls < 5000; calls += 16) {
        await Promise.all(Array.from({ length: 16 }, () => guest.begin({ body }).outcome));
      }
      return calls;
    };
    expect(await callUntilTold(""), "not before eight looks").toBeGreaterThanOrEqual(8 * 16);
    expect(guest.paces).toEqual([true]);
    expect(await callUntilTold("yes"), "two looks that met a wait").toBeLessThanOrEqual(3 * 16);
    expect(guest.paces).toEqual([true, false]);
  });

  it("is not told of calls that wait, or that nobody has asked to watch", async () => {
    const guest = new PythonGuest();
    guests.push(guest);
    await guest.loadSource(PAUSES);
    for (let i = 0; i < 200; i++) await guest.call();
    await guest.call({ guard: true });
    for (let i = 0; i < 200; i++) await guest.call({ body: "yes" });
    expect(guest.paces).toEqual([]);
  });
});
