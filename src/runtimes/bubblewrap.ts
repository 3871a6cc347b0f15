import type { NetworkAccess } from "../ports/runtime.js";

/**
 * How a sandbox gives up the node's rights: `root` = a root node starts it without a user namespace
 * and becomes nobody; `userns` = an ordinary user's namespace in which nobody is that user.
 */
export type SandboxMode = "root" | "userns";

/** User and group inside: nobody, whatever the node is. */
export const NOBODY_ID = 65_534;

/** Where a function lies inside its sandbox. */
export const FUNCTION_DIR = "/function";

/** Everything that decides what a sandbox can see. */
export interface SandboxPlan {
  readonly mode: SandboxMode;
  readonly network: NetworkAccess;
  /** Space of `/tmp`. */
  readonly tmpBytes: number;
  /** Shown read-only: path inside to path on the host. */
  readonly readOnly: ReadonlyMap<string, string>;
  /** Links at the root, such as `/bin` to `usr/bin`. */
  readonly rootLinks: ReadonlyMap<string, string>;
  /** Host path of what becomes {@link FUNCTION_DIR}. */
  readonly functionDir: string;
  /** Host folder with `passwd` and `group` of the sandbox, if it is to have any. */
  readonly accountsDir: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptor from which bubblewrap reads the system call filter. */
  readonly seccompFd: number | undefined;
  readonly command: readonly string[];
}

/** Files below `/etc` that programs need to run at all, or to speak TLS. */
const ETC_PATHS = [
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/alternatives",
  "/etc/localtime",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
  "/etc/pki/tls/certs",
  "/etc/ca-certificates",
];

/** Needed only where there is a network. */
const NETWORK_ETC_PATHS = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf"];

/** `/dev/shm`, which semaphores need; it counts as memory of the function. */
const SHARED_MEMORY_BYTES = 16 * 1024 * 1024;

/** The arguments of `bwrap` for a plan. */
export function bubblewrapArguments(plan: SandboxPlan): string[] {
  return [
    ...namespaceArguments(plan),
    ...fileArguments(plan),
    "--clearenv",
    ...Object.entries(plan.env).flatMap(([name, value]) => ["--setenv", name, value]),
    ...(plan.seccompFd === undefined ? [] : ["--seccomp", `${plan.seccompFd}`]),
    "--",
    ...dropArguments(plan.mode),
    ...plan.command,
  ];
}

function namespaceArguments({ mode, network }: SandboxPlan): string[] {
  const spaces = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"];
  if (network === "none") spaces.push("--unshare-net");
  if (mode === "userns")
    spaces.push("--unshare-user", "--uid", `${NOBODY_ID}`, "--gid", `${NOBODY_ID}`);
  return [
    ...spaces,
    "--hostname",
    "function",
    "--die-with-parent",
    "--new-session",
    ...capabilityArguments(mode),
  ];
}

function capabilityArguments(mode: SandboxMode): string[] {
  const none = ["--cap-drop", "ALL"];
  // why: root becomes nobody inside, after the mounts; the two are gone with that step.
  return mode === "root" ? [...none, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] : none;
}

function dropArguments(mode: SandboxMode): string[] {
  if (mode === "userns") return [];
  const ids = [`--reuid=${NOBODY_ID}`, `--regid=${NOBODY_ID}`, "--clear-groups"];
  return ["/usr/bin/setpriv", ...ids, "--inh-caps=-all", "--no-new-privs", "--"];
}

function fileArguments(plan: SandboxPlan): string[] {
  const etc = plan.network === "host" ? [...ETC_PATHS, ...NETWORK_ETC_PATHS] : ETC_PATHS;
  const targets = [...plan.readOnly.keys(), ...etc, FUNCTION_DIR];
  return [
    ...[...plan.rootLinks].flatMap(([path, target]) => ["--symlink", target, path]),
    // why: bubblewrap makes missing parents for root alone, and the guest is nobody.
    ...parentsOf(targets).flatMap((dir) => ["--dir", dir]),
    ...mountArguments(plan),
    ...[...plan.readOnly].flatMap(([inside, outside]) => ["--ro-bind", outside, inside]),
    ...etc.flatMap((path) => ["--ro-bind-try", path, path]),
    ...accountArguments(plan.accountsDir),
    "--remount-ro",
    "/",
    "--chdir",
    "/tmp",
  ];
}

function mountArguments({ tmpBytes, functionDir }: SandboxPlan): string[] {
  const space = (path: string, bytes: number): string[] => [
    "--perms",
    "1777",
    "--size",
    `${bytes}`,
    "--tmpfs",
    path,
  ];
  return [
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    ...space("/dev/shm", SHARED_MEMORY_BYTES),
    "--remount-ro",
    "/dev",
    ...space("/tmp", tmpBytes),
    "--ro-bind",
    functionDir,
    FUNCTION_DIR,
  ];
}

/** Every folder above the paths, once, the upper ones first. */
function parentsOf(paths: readonly string[]): string[] {
  const parents = new Set<string>();
  for (const path of paths) {
    const names = path.split("/").slice(1, -1);
    for (const [index] of names.entries()) parents.add(`/${names.slice(0, index + 1).join("/")}`);
  }
  // why: what lies in /usr comes with it.
  return [...parents].filter((dir) => dir !== "/usr" && !dir.startsWith("/usr/"));
}

function accountArguments(dir: string | undefined): string[] {
  return dir === undefined
    ? []
    : ["passwd", "group"].flatMap((name) => ["--ro-bind", `${dir}/${name}`, `/etc/${name}`]);
}
