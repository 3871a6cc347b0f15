/** A profile as V8 writes it; times in µs. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly startTime: number;
  /** Id of the node that ran at each sample. */
  readonly samples: readonly number[];
  /** Time before each sample since the one before it. */
  readonly timeDeltas: readonly number[];
}

/** One function in one place of the call tree. */
export interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

/** Part of the busy time that something took. */
export interface Shares {
  readonly name: string;
  /** Without what it calls. */
  readonly self: number;
  /** With all that it calls. */
  readonly inclusive: number;
}

/** Where the time went; each list has the largest first. */
export interface ProfileSummary {
  readonly groups: readonly Shares[];
  readonly selfTimes: readonly Shares[];
  readonly inclusiveTimes: readonly Shares[];
}

/** Native functions of Node that end in a system call for sockets and pipes. */
const SYSTEM_CALLS =
  /^(?:writev|write(?:Buffer|Utf8String|Latin1String|AsciiString|UcsString)|shutdown|readStart)$/;

/** Adds up a profile between two times; idle time counts for nothing. */
export function summarize(
  profile: CpuProfile,
  { startUs, endUs }: { readonly startUs: number; readonly endUs: number },
): ProfileSummary {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfUs = selfTimesUs(profile, startUs, endUs);
  const groups = new Tally();
  const functions = new Tally();
  const roots = profile.nodes.filter(({ callFrame }) => callFrame.functionName === "(root)");
  const visit = (node: ProfileNode, groupsAbove: readonly string[], above: readonly string[]) => {
    if (node.callFrame.functionName === "(idle)") return;
    const group = groupOf(node, groupsAbove.at(-1));
    const path = group === undefined ? groupsAbove : [...groupsAbove, group];
    const stack = group === undefined ? above : [...above, nameOf(node, group)];
    const ownUs = selfUs.get(node.id) ?? 0;
    groups.add(path, ownUs);
    functions.add(stack, ownUs);
    for (const id of node.children ?? []) visit(nodes.get(id)!, path, stack);
  };
  for (const root of roots) visit(root, [], []);
  const shares = functions.shares();
  return {
    groups: groups.shares().toSorted((a, b) => b.self - a.self),
    selfTimes: shares.toSorted((a, b) => b.self - a.self),
    inclusiveTimes: shares.toSorted((a, b) => b.inclusive - a.inclusive),
  };
}

/** The module that a function belongs to; native code belongs to whoever calls it. */
export function groupOf(
  { callFrame }: ProfileNode,
  caller: string | undefined,
): string | undefined {
  const { functionName, url } = callFrame;
  if (functionName === "(root)") return undefined;
  if (functionName === "(garbage collector)") return "garbage collector";
  if (functionName === "(program)") return "outside JavaScript";
  if (url === "")
    return SYSTEM_CALLS.test(functionName) ? "system calls (write)" : (caller ?? "native");
  const dependency = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  if (url.startsWith("node:")) return nodeModule(url);
  return /\/dist\/([^/]+)\//.exec(url)?.[1] ?? "other";
}

function nodeModule(url: string): string {
  if (/_?http/.test(url)) return "node:http";
  if (/net|stream/.test(url)) return "node:net, streams";
  if (/timers|task_queues|promises|async_hooks/.test(url)) return "node: timers, tasks";
  if (/buffer/.test(url)) return "node:buffer";
  return "node: other";
}

function nameOf({ callFrame }: ProfileNode, group: string): string {
  const { functionName, url, lineNumber } = callFrame;
  const file = url.replace(/^.*\/(?:dist|node_modules)\//, "");
  const name = functionName === "" ? "(anonymous)" : functionName;
  return url === "" ? `${name} [${group}]` : `${name} ${file}:${lineNumber + 1}`;
}

/** A sample's node ran until the next sample. */
function selfTimesUs(profile: CpuProfile, startUs: number, endUs: number): Map<number, number> {
  const times = new Map<number, number>();
  let nowUs = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    nowUs += profile.timeDeltas[i] ?? 0;
    if (nowUs < startUs || nowUs > endUs) continue;
    times.set(id, (times.get(id) ?? 0) + (profile.timeDeltas[i + 1] ?? 0));
  }
  return times;
}

/** Adds up times by name, each name once per stack. */
class Tally {
  readonly #self = new Map<string, number>();
  readonly #inclusive = new Map<string, number>();
  #total = 0;

  add(stack: readonly string[], timeUs: number): void {
    const top = stack.at(-1);
    if (timeUs <= 0 || top === undefined) return;
    this.#total += timeUs;
    this.#self.set(top, (this.#self.get(top) ?? 0) + timeUs);
    for (const name of new Set(stack)) {
      this.#inclusive.set(name, (this.#inclusive.get(name) ?? 0) + timeUs);
    }
  }

  shares(): Shares[] {
    return [...this.#inclusive].map(([name, inclusive]) => ({
      name,
      self: (this.#self.get(name) ?? 0) / this.#total,
      inclusive: inclusive / this.#total,
    }));
  }
}
