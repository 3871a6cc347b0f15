import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { bubblewrapArguments, type SandboxMode } from "./bubblewrap.js";
import { findProgram, reasonOf } from "./probes.js";
import { systemFiles } from "./sandbox-plan.js";

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 10_000;

/** How sandboxes are started here, or one line on why they are not and what to do. */
export type SandboxProbe =
  | { readonly path: string; readonly mode: SandboxMode }
  | { readonly missing: string };

/** Starts a real sandbox once, in each way that may work here, the stricter first. */
export async function probeSandbox(only?: SandboxMode): Promise<SandboxProbe> {
  if (process.platform !== "linux")
    return { missing: "bubblewrap works on Linux only; use --isolation process" };
  const path = findProgram("bwrap");
  if (path === undefined) {
    return {
      missing:
        "bubblewrap (bwrap) is not installed; `apt-get install bubblewrap`, or `npm run setup`",
    };
  }
  const modes: SandboxMode[] = process.getuid?.() === 0 ? ["root", "userns"] : ["userns"];
  let why = "";
  for (const mode of only === undefined ? modes : [only]) {
    try {
      await run(path, bubblewrapArguments(trivialPlan(mode)), { timeout: PROBE_TIMEOUT_MS });
      return { path, mode };
    } catch (error) {
      why = reasonOf(error);
    }
  }
  return { missing: `bubblewrap cannot start here: ${why}; ${fixFor(why)}` };
}

function trivialPlan(mode: SandboxMode): Parameters<typeof bubblewrapArguments>[0] {
  return {
    ...systemFiles(),
    mode,
    network: "none",
    tmpBytes: 1024 * 1024,
    functionDir: "/usr",
    accountsDir: undefined,
    env: {},
    seccompFd: undefined,
    command: ["/bin/true"],
  };
}

function fixFor(why: string): string {
  if (/user namespace|uid map|clone|Operation not permitted|No permissions/i.test(why)) {
    return "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0), or give a container the rights that they need";
  }
  if (/proc/i.test(why))
    return "a container must be allowed to mount /proc (Docker: --security-opt systempaths=unconfined)";
  return "run `bwrap --unshare-all --ro-bind / / true` to see more";
}
