import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Resources } from "./resources.js";

/** Connections that wrk keeps open, each with one request at a time. */
export const CONNECTIONS = 32;

/**
 * why: one thread drives more requests than any server here takes, and on two cores a second one
 * would only take time from the node and the function.
 */
const THREADS = 1;

/** One request, sent over and over. */
export interface RequestShape {
  readonly method: "GET" | "POST";
  readonly body?: string;
  readonly contentType?: string;
  /** Asked for in turn, in place of the path of the URL. */
  readonly paths?: readonly string[];
}

/** What one run of wrk saw. */
export interface Load {
  readonly requests: number;
  readonly requestsPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers from 400 on. */
  readonly refused: number;
  /** Requests that got no answer. */
  readonly broken: number;
}

/** Where the load goes and for how long. */
export interface LoadRequest {
  readonly url: string;
  readonly shape: RequestShape;
  readonly durationS: number;
}

/** wrk's version, or `undefined` where it is not installed. */
export function wrkVersion(): string | undefined {
  const { stdout, error } = spawnSync("wrk", ["--version"], { encoding: "utf8" });
  return error ? undefined : (/^wrk (?:debian\/)?(\S+)/.exec(stdout)?.[1] ?? "unknown");
}

/** Loads `url` for some seconds. */
export async function runWrk(resources: Resources, request: LoadRequest): Promise<Load> {
  const script = join(await resources.makeFolder(), "load.lua");
  await writeFile(script, luaScript(request.shape));
  const args = [
    ["--threads", String(THREADS)],
    ["--connections", String(CONNECTIONS)],
    ["--duration", `${request.durationS}s`],
    ["--timeout", "10s"],
    ["--script", script, request.url],
  ].flat();
  return parseLoad(await resources.run("wrk", args));
}

/** The script that gives wrk its request and prints the result as one line of JSON. */
export function luaScript({ method, body, contentType, paths }: RequestShape): string {
  const lines = [`wrk.method = ${JSON.stringify(method)}`];
  if (body !== undefined) lines.push(`wrk.body = ${JSON.stringify(body)}`);
  if (contentType !== undefined) {
    lines.push(`wrk.headers["content-type"] = ${JSON.stringify(contentType)}`);
  }
  if (paths !== undefined) lines.push(luaTurns(paths));
  return `${lines.join("\n")}\n${LUA_RESULT}`;
}

function luaTurns(paths: readonly string[]): string {
  return `local paths = { ${paths.map((path) => JSON.stringify(path)).join(", ")} }
local turn = 0
function request()
  turn = turn % #paths + 1
  return wrk.format(nil, paths[turn])
end`;
}

const LUA_RESULT = `
function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    'RESULT {"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"refused":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, broken))
end
`;

/** Reads what the script printed. @throws Error when wrk printed no result */
export function parseLoad(output: string): Load {
  const line = /^RESULT (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk printed no result:\n${output}`);
  const { requests, durationUs, p50Us, p99Us, refused, broken } = JSON.parse(line) as Record<
    "requests" | "durationUs" | "p50Us" | "p99Us" | "refused" | "broken",
    number
  >;
  return {
    requests,
    requestsPerS: (requests / durationUs) * 1e6,
    p50Ms: p50Us / 1000,
    p99Ms: p99Us / 1000,
    refused,
    broken,
  };
}
