import { expect, it } from "vitest";

import { EnokiError } from "../core/errors.js";
import type { Naming } from "../ports/naming.js";
import type { NamingContext } from "./naming-contract.js";
import { until, WatchRecorder } from "./naming-recorder.js";

/** How soon "at once" is on a busy machine. */
const AT_ONCE_MS = 2500;

async function put(naming: Naming, key: string, value: string): Promise<void> {
  expect(await naming.transact([], [{ key, value }])).toBe(true);
}

/** Expects that `work` fails at once because the service does not answer. */
async function expectUnavailable(work: () => Promise<unknown>): Promise<void> {
  const begunMs = performance.now();
  const error: unknown = await work().catch((reason: unknown) => reason);
  expect(performance.now() - begunMs).toBeLessThan(AT_ONCE_MS);
  expect(error).toBeInstanceOf(EnokiError);
  expect((error as EnokiError).code).toBe("ENOKI_NAMING_UNAVAILABLE");
}

/** Declares the tests of leases, and of processes that are cut off from the service. */
export function declareCuts({ connect, forgetHistory }: NamingContext): void {
  it("fails at once while the service does not answer, and goes on when it does", async () => {
    const { naming, cut, heal } = await connect();
    const { naming: other } = await connect();
    const recorder = new WatchRecorder(naming, "");
    await put(naming, "a", "1");
    await until(() => recorder.known.size === 1 && recorder.isReachable === true);
    cut();
    await until(() => recorder.isReachable === false);
    await expectUnavailable(() => naming.read(""));
    await expectUnavailable(() => naming.transact([], [{ key: "b", value: "1" }]));
    expect(await other.read("b")).toEqual([]);
    expect(recorder.values()).toEqual({ a: "1" });
    heal();
    await until(() => recorder.isReachable === true);
    await put(naming, "b", "1");
    await until(() => recorder.known.size === 2);
  });

  it("begins a watch that was made while the service did not answer", async () => {
    const { naming, cut, heal } = await connect();
    cut();
    const recorder = new WatchRecorder(naming, "");
    await until(() => recorder.isReachable === false);
    expect(recorder.heard).toEqual(["down"]);
    heal();
    await until(() => recorder.isReachable === true);
    expect(recorder.heard).toEqual(["down", "reset", "up"]);
  });

  it("goes on with a watch after a cut where it was: nothing missed, nothing twice", async () => {
    const { naming, cut, heal } = await connect();
    const { naming: other } = await connect();
    const recorder = new WatchRecorder(naming, "w/");
    await put(other, "w/a", "0");
    await until(() => recorder.known.size === 1);
    const values = Array.from({ length: 30 }, (_, index) => String(index + 1));
    for (const value of values) {
      if (Number(value) % 10 === 3) cut();
      if (Number(value) % 10 === 8) heal();
      await put(other, "w/a", value);
    }
    await until(() => recorder.values()["w/a"] === "30");
    const told = recorder.changesHeard().filter((event) => event !== "w/a=0");
    expect(told).toEqual(values.map((value) => `w/a=${value}`));
    expect(recorder.heard.filter((event) => event === "reset")).toEqual(["reset"]);
  });

  it("begins a watch anew if what it missed was forgotten", async () => {
    const { naming, cut, heal } = await connect();
    const { naming: other } = await connect();
    const recorder = new WatchRecorder(naming, "w/");
    await put(other, "w/a", "1");
    await put(other, "w/b", "1");
    await until(() => recorder.known.size === 2 && recorder.isReachable === true);
    cut();
    await until(() => recorder.isReachable === false);
    await put(other, "w/a", "2");
    await other.transact([], [{ key: "w/b", value: undefined }]);
    await put(other, "w/c", "1");
    await forgetHistory();
    heal();
    await until(() => recorder.isReachable === true && recorder.values()["w/c"] === "1");
    expect(recorder.values()).toEqual({ "w/a": "2", "w/c": "1" });
    await put(other, "w/c", "2");
    await until(() => recorder.values()["w/c"] === "2");
    expect(recorder.heard.filter((event) => event !== "up").slice(-3)).toEqual([
      "down",
      "reset",
      "w/c=2",
    ]);
  });

  it("lets leased records vanish when their process closes, and no others", async () => {
    const { naming } = await connect();
    const { naming: other } = await connect();
    const recorder = new WatchRecorder(other, "");
    await naming.transact(
      [],
      [
        { key: "leased", value: "1", isLeased: true },
        { key: "kept", value: "1" },
        { key: "once-leased", value: "1", isLeased: true },
      ],
    );
    await put(naming, "once-leased", "2");
    await until(() => recorder.known.size === 3);
    await naming.close();
    await until(() => !recorder.known.has("leased"));
    expect((await other.read("")).map(({ key }) => key)).toEqual(["kept", "once-leased"]);
  });

  it("lets leased records vanish with a process that is cut off for long, and writes them again after it", async () => {
    const { naming, cut, heal } = await connect();
    const { naming: other } = await connect();
    const recorder = new WatchRecorder(other, "");
    for (const key of ["mine", "taken", "ended"]) {
      await naming.transact([], [{ key, value: "1", isLeased: true }]);
    }
    await naming.transact([], [{ key: "ended", value: undefined }]);
    await until(() => recorder.known.size === 2);
    cut();
    await until(() => recorder.known.size === 0, "the lease has run out");
    await put(other, "taken", "by another");
    heal();
    await until(() => recorder.values()["mine"] === "1");
    expect(recorder.values()).toEqual({ mine: "1", taken: "by another" });
    await naming.close();
    await until(() => recorder.values()["mine"] === undefined);
    expect(recorder.values()).toEqual({ taken: "by another" });
  });

  it("keeps leased records for as long as their process is there", async () => {
    const { naming } = await connect();
    const { naming: other } = await connect();
    await naming.transact([], [{ key: "mine", value: "1", isLeased: true }]);
    const recorder = new WatchRecorder(other, "");
    await until(() => recorder.known.size === 1);
    // A second process that is cut off shows that a whole lease has passed.
    const { naming: dying, cut } = await connect();
    await dying.transact([], [{ key: "of-another", value: "1", isLeased: true }]);
    await until(() => recorder.known.size === 2);
    cut();
    await until(() => recorder.known.size === 1, "the other lease has run out");
    expect(recorder.values()).toEqual({ mine: "1" });
    expect(recorder.changesHeard()).toEqual(["of-another=1", "-of-another"]);
  });
}
