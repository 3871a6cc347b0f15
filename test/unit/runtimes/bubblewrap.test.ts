import { describe, expect, it } from "vitest";
import { bubblewrapArguments, type SandboxPlan } from "../../../src/runtimes/bubblewrap.js";
import { seccompFilter } from "../../../src/runtimes/seccomp.js";

const PLAN: SandboxPlan = {
  mode: "userns",
  network: "none",
  tmpBytes: 1024,
  readOnly: new Map([
    ["/usr", "/usr"],
    ["/opt/tools/python", "/opt/tools/python"],
  ]),
  rootLinks: new Map([["/bin", "usr/bin"]]),
  functionDir: "/data/run/slots/1/function",
  accountsDir: "/data/run/accounts",
  env: { PATH: "/usr/bin" },
  seccompFd: 4,
  command: ["python3", "main.py"],
};

/** What follows each occurrence of a flag. */
function valuesOf(args: readonly string[], flag: string, count = 1): string[] {
  return args.flatMap((arg, index) =>
    arg === flag ? [args.slice(index + 1, index + 1 + count).join(" ")] : [],
  );
}

describe("bubblewrapArguments", () => {
  it("separates the sandbox from the machine in every respect, and ties it to the node", () => {
    const args = bubblewrapArguments(PLAN);
    const must = [
      "--unshare-user",
      "--unshare-pid",
      "--unshare-ipc",
      "--unshare-uts",
      "--unshare-net",
    ];
    expect(args).toEqual(
      expect.arrayContaining([...must, "--die-with-parent", "--new-session", "--clearenv"]),
    );
  });

  it("leaves the network only to a function that asks for it", () => {
    const args = bubblewrapArguments({ ...PLAN, network: "host" });
    expect(args).not.toContain("--unshare-net");
    expect(valuesOf(args, "--ro-bind-try")).toContain("/etc/resolv.conf");
    expect(valuesOf(bubblewrapArguments(PLAN), "--ro-bind-try")).not.toContain("/etc/resolv.conf");
  });

  it("binds nothing but read-only", () => {
    const args = bubblewrapArguments(PLAN);
    expect(args.filter((arg) => /^--(dev-)?bind/.test(arg))).toEqual([]);
    expect(valuesOf(args, "--ro-bind", 2)).toContain("/data/run/slots/1/function /function");
    expect(valuesOf(args, "--remount-ro")).toEqual(["/dev", "/"]);
  });

  it("makes the folders above a bind enterable for nobody", () => {
    const args = bubblewrapArguments(PLAN);
    expect(valuesOf(args, "--dir")).toEqual(expect.arrayContaining(["/opt", "/opt/tools"]));
    expect(args.indexOf("/opt/tools")).toBeLessThan(args.indexOf("/opt/tools/python"));
  });

  it("lets root become nobody inside, keeping no other right", () => {
    const args = bubblewrapArguments({ ...PLAN, mode: "root" });
    expect(valuesOf(args, "--cap-drop")).toEqual(["ALL"]);
    expect(valuesOf(args, "--cap-add")).toEqual(["CAP_SETUID", "CAP_SETGID"]);
    const command = args.slice(args.indexOf("--") + 1);
    expect(command.slice(0, 3)).toEqual(["/usr/bin/setpriv", "--reuid=65534", "--regid=65534"]);
    expect(command.slice(-2)).toEqual(PLAN.command);
    expect(valuesOf(bubblewrapArguments(PLAN), "--cap-add")).toEqual([]);
  });
});

describe("seccompFilter", () => {
  it.each(["x64", "arm64"])("is a whole program that ends by allowing: %s", (arch) => {
    const filter = Buffer.from(seccompFilter(arch)!);
    expect(filter.length % 8).toBe(0);
    expect(filter.subarray(-8).toString("hex")).toBe("060000000000ff7f");
    expect(filter.length / 8).toBeLessThan(256);
  });

  it("has no filter for a processor that it does not know", () => {
    expect(seccompFilter("mips")).toBeUndefined();
  });
});
