import { describe, expect, it } from "vitest";
import { controllerDirs, nodeMark, unifiedDir } from "../../../src/runtimes/cgroup-location.js";

describe("controllerDirs", () => {
  it("finds the own group of each controller of version 1", () => {
    const dirs = controllerDirs({
      mountInfo: [
        "30 20 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
        "31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
      ].join("\n"),
      ownCgroup: "4:memory:/user/me\n2:cpu,cpuacct:/\n0::/",
    });
    expect(Object.fromEntries(dirs)).toEqual({
      memory: "/sys/fs/cgroup/memory/user/me",
      cpu: "/sys/fs/cgroup/cpu,cpuacct/",
    });
  });

  it("understands a container, which sees its part of the hierarchy as the whole", () => {
    const dirs = controllerDirs({
      mountInfo: "30 20 0:26 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
      ownCgroup: "4:memory:/docker/abc",
    });
    expect(dirs.get("memory")).toBe("/sys/fs/cgroup/memory/");
  });
});

describe("unifiedDir", () => {
  it("finds the own group of version 2", () => {
    const mountInfo = "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw";
    expect(unifiedDir({ mountInfo, ownCgroup: "0::/user.slice/enoki.scope" })).toBe(
      "/sys/fs/cgroup/user.slice/enoki.scope",
    );
  });

  it("is undefined where there is none", () => {
    expect(unifiedDir({ mountInfo: "", ownCgroup: "" })).toBeUndefined();
  });
});

describe("nodeMark", () => {
  it("is the same for the same node and another for another", () => {
    expect(nodeMark("/a/run")).toBe(nodeMark("/a/run"));
    expect(nodeMark("/a/run")).not.toBe(nodeMark("/b/run"));
  });
});
