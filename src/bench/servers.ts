import { fileURLToPath } from "node:url";

import { connect, type Client } from "../client/index.js";
import type { Resources, Server } from "./resources.js";

/** A node under test. */
export interface BenchNode {
  readonly pid: number;
  readonly client: Client;
  /** Base URL of the function port. */
  readonly functionsUrl: string;
  readonly dataDir: string;
  stop(): Promise<void>;
}

/** How to start a node. */
export interface NodeStart {
  /** An older node's, to take up what was deployed; a new one without it. */
  readonly dataDir?: string;
  /** Flags of Node itself. */
  readonly execArgs?: readonly string[];
  /** Further flags of `enoki up`. */
  readonly flags?: readonly string[];
}

/** Ends when the bench does, however that ends: then its stdin closes. */
const CEILING_PROGRAM = `
process.stdin.on("end", () => process.exit()).on("error", () => process.exit()).resume();
require("node:http")
  .createServer((request, response) => response.end("ok"))
  .listen(0, "127.0.0.1", function () {
    console.log("http://127.0.0.1:" + this.address().port + "/");
  });
`;

/** Starts the ceiling, a bare `node:http` server that answers `ok`. Returns its URL. */
export async function startCeiling(resources: Resources): Promise<string> {
  return (await resources.startServer(process.execPath, ["-e", CEILING_PROGRAM])).readyLine;
}

/** Starts a node as `enoki up` does, on free ports. */
export async function startNode(resources: Resources, start: NodeStart = {}): Promise<BenchNode> {
  const dataDir = start.dataDir ?? (await resources.makeFolder());
  const command = fileURLToPath(new URL("../cli/main.js", import.meta.url));
  const flags = ["--json", "--name", "bench", "--function-port", "0", "--admin-port", "0"];
  const server = await resources.startServer(process.execPath, [
    ...(start.execArgs ?? []),
    command,
    "up",
    ...flags,
    ...(start.flags ?? []),
    "--data-dir",
    dataDir,
  ]);
  return nodeOf(server, dataDir);
}

/** Starts a node of `no-op-tracer-node.ts`. */
export async function startNoOpTracerNode(resources: Resources): Promise<BenchNode> {
  const dataDir = await resources.makeFolder();
  const program = fileURLToPath(new URL("no-op-tracer-node.js", import.meta.url));
  return nodeOf(await resources.startServer(process.execPath, [program, dataDir]), dataDir);
}

function nodeOf({ pid, readyLine, stop }: Server, dataDir: string): BenchNode {
  const { functions: functionsUrl, admin: url } = JSON.parse(readyLine) as {
    functions: string;
    admin: string;
  };
  return { pid, client: connect({ url, functionsUrl }), functionsUrl, dataDir, stop };
}

/** Path of a folder with the code of a function, relative to the top folder. */
export function functionFolder(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
