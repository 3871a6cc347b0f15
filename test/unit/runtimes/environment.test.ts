import { describe, expect, it } from "vitest";
import { guestEnvironment, sandboxEnvironment } from "../../../src/runtimes/environment.js";
import { normaliseEnd } from "../../../src/runtimes/instance.js";

/** Freed memory is kept for the next large value. */
const MEMORY = { MALLOC_MMAP_THRESHOLD_: "4194304", MALLOC_TRIM_THRESHOLD_: "8388608" };

describe("guestEnvironment", () => {
  it("passes paths and locale on, and none of the node's secrets", () => {
    const source = {
      PATH: "/bin",
      LANG: "C",
      LC_ALL: "C",
      ENOKI_ADMIN_TOKEN: "x",
      NODE_OPTIONS: "y",
      HOME: "/root",
    };
    expect(guestEnvironment(source, "/t")).toEqual({
      PATH: "/bin",
      LANG: "C",
      LC_ALL: "C",
      ...MEMORY,
      HOME: "/t",
      TMPDIR: "/t",
    });
  });
});

describe("sandboxEnvironment", () => {
  const source = { PATH: "/home/me/bin:/usr/bin", LANG: "C", HOME: "/home/me" };

  it("has the system's path and the interpreter's own folder, and nothing of the node's path", () => {
    const { PATH, ...rest } = sandboxEnvironment(source, "/tmp", "/opt/node/bin/node");
    expect(PATH).toBe("/opt/node/bin:/usr/local/bin:/usr/bin:/bin");
    expect(rest).toEqual({ LANG: "C", ...MEMORY, HOME: "/tmp", TMPDIR: "/tmp" });
  });

  it("names no folder twice", () => {
    const { PATH } = sandboxEnvironment(source, "/tmp", "/usr/bin/python3");
    expect(PATH).toBe("/usr/local/bin:/usr/bin:/bin");
  });
});

describe("normaliseEnd", () => {
  it("reads a signal out of a sandbox's exit code, and leaves other codes alone", () => {
    expect(normaliseEnd({ code: 137, signal: null })).toEqual({ code: null, signal: "SIGKILL" });
    expect(normaliseEnd({ code: 70, signal: null })).toEqual({ code: 70, signal: null });
    expect(normaliseEnd({ code: 255, signal: null })).toEqual({ code: 255, signal: null });
  });
});
