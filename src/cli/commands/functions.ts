import type { Command } from "commander";

import { formatSizeBytes } from "../../base/size.js";
import { EnokiError } from "../../core/errors.js";
import type { FunctionInfo } from "../../client/types.js";
import { addCommand, addNodeCommand, onNode, type Cli } from "../command.js";
import type { Client } from "../../client/client.js";
import { write, type Io } from "../io.js";
import { lossOf } from "../loss.js";
import { stateOf } from "../node-rows.js";
import { ago, fields, jsonLine, table } from "../output.js";

interface RemoveOptions {
  readonly data?: string;
  readonly from?: string;
  readonly force?: boolean;
  readonly wait?: string;
}

/** `enoki functions ls|describe|revisions|rm` */
export function addFunctionsCommand(program: Command, cli: Cli): void {
  const functions = addCommand(program, {
    usage: "functions",
    description: "list, show and remove functions",
    examples: ["enoki functions ls"],
  });
  addList(functions, cli);
  addDescribe(functions, cli);
  addRevisions(functions, cli);
  addRemove(functions, cli);
}

function addList(functions: Command, cli: Cli): void {
  addNodeCommand(functions, {
    usage: "ls",
    description: "list all functions",
    examples: ["enoki functions ls", "enoki functions ls --json | jq -r '.[].url'"],
  }).action(
    onNode(cli, async ({ client, io, json }) => {
      const all = await client.functions.list();
      if (json) return write(io.stdout, jsonLine(all));
      const isCluster = all.some(({ nodes }) => nodes !== undefined);
      const rows = all.map(({ name, runtime, revision, status, url, nodes }) => [
        name,
        runtime,
        String(revision),
        ...(isCluster ? [readyOf(nodes)] : []),
        String(status.instances),
        String(status.invocationsTotal),
        String(status.failuresTotal),
        url,
      ]);
      const ready = isCluster ? ["READY"] : [];
      const headings = ["NAME", "RUNTIME", "REVISION", ...ready, "INSTANCES", "CALLS"];
      headings.push("FAILED", "URL");
      if (rows.length === 0)
        await write(io.stderr, "no functions yet; `enoki deploy PATH` adds one\n");
      await write(io.stdout, table(headings, rows));
    }),
  );
}

function addDescribe(functions: Command, cli: Cli): void {
  addNodeCommand(functions, {
    usage: "describe <name>",
    description: "show a function: its configuration and how it is doing",
    examples: ["enoki functions describe hello"],
  }).action(
    onNode(cli, async ({ client, io, json }, name: string) => {
      const info = await client.functions.get(name);
      await write(io.stdout, json ? jsonLine(info) : describe(info) + describeNodes(info));
    }),
  );
}

function addRevisions(functions: Command, cli: Cli): void {
  addNodeCommand(functions, {
    usage: "revisions <name>",
    description: "list the revisions of a function that are kept, newest first",
    examples: ["enoki functions revisions hello"],
  }).action(
    onNode(cli, async ({ client, io, json }, name: string) => {
      const all = await client.functions.revisions(name);
      if (json) return write(io.stdout, jsonLine(all));
      const rows = all.map((revision) => [
        revision.current ? `${revision.number} *` : String(revision.number),
        revision.runtime,
        revision.entry,
        formatSizeBytes(revision.artefactSizeBytes),
        ago(revision.createdAt, Date.now()),
      ]);
      await write(io.stdout, table(["REVISION", "RUNTIME", "ENTRY", "SIZE", "AGE"], rows));
    }),
  );
}

function addRemove(functions: Command, cli: Cli): void {
  addNodeCommand(functions, {
    usage: "rm <name>",
    description: "remove a function, from all nodes or from one; data stays unless --data delete",
    examples: [
      "enoki functions rm hello",
      "enoki functions rm hello --data delete",
      "enoki functions rm hello --from edge2",
    ],
  })
    .option("--data <what>", "keep or delete the function's keygroup (default: keep)")
    .option("--from <node>", "only from that node; its replica goes too, unless --data keep")
    .option("--force", "with --from: at once, whatever no other replica has")
    .option("--wait <duration>", "with --from: how long to wait for the others (default: 30s)")
    .action(
      onNode<RemoveOptions>(cli, async ({ client, io, json, options }, name: string) => {
        if (options.from !== undefined) {
          await removeFrom(client, io, json, name, options.from, options);
          return;
        }
        if (options.force || options.wait !== undefined) {
          const detail = "--force and --wait go with --from NODE";
          throw new EnokiError("ENOKI_INVALID_INPUT", detail);
        }
        const data = parseData(options.data ?? "keep");
        await client.functions.remove(name, { data });
        await write(io.stdout, json ? jsonLine({ removed: name, data }) : `removed ${name}\n`);
      }),
    );
}

async function removeFrom(
  client: Client,
  io: Io,
  json: boolean,
  name: string,
  node: string,
  { data, force = false, wait }: RemoveOptions,
): Promise<void> {
  if (data !== undefined && data !== "keep") {
    throw new EnokiError("ENOKI_INVALID_INPUT", `--data: with --from only keep, not ${data}`);
  }
  const removed = await client.functions.removeFrom(name, node, {
    force,
    ...(wait === undefined ? {} : { wait }),
    ...(data === undefined ? {} : { data }),
  });
  if (json) return write(io.stdout, jsonLine(removed));
  await write(io.stdout, `removed ${name} from ${node}${lossOf(removed.lost)}\n`);
}

function parseData(text: string): "keep" | "delete" {
  if (text === "keep" || text === "delete") return text;
  throw new EnokiError("ENOKI_INVALID_INPUT", `--data: expected keep or delete, not ${text}`);
}

/** On how many of its nodes a function is ready. */
function readyOf(nodes: FunctionInfo["nodes"]): string {
  const ready = nodes?.filter(({ state }) => state === "ready") ?? [];
  return nodes === undefined ? "-" : `${ready.length}/${nodes.length}`;
}

/** A row per node; nothing on a node that is alone. */
function describeNodes({ nodes }: FunctionInfo): string {
  if (nodes === undefined) return "";
  const rows = nodes.map((node) => [node.node, String(node.revision ?? "-"), stateOf(node)]);
  return `\n${table(["NODE", "REVISION", "STATE"], rows)}`;
}

function describe(info: FunctionInfo): string {
  const { config, status } = info;
  return fields([
    ["name", info.name],
    ["url", info.url],
    ["runtime", info.runtime],
    ["entry", info.entry],
    ["revision", String(info.revision)],
    ["deployed", `${info.createdAt} (${ago(info.createdAt, Date.now())} ago)`],
    ["keygroup", info.keygroup],
    ["timeout", config.timeout],
    ["memory", config.memory],
    ["cpu", config.cpu === "0" ? "no limit" : config.cpu],
    ["max instances", config.maxInstances?.toString()],
    ["concurrency", config.concurrency?.toString()],
    ["isolation", config.isolation],
    ["network", config.network],
    ["access", config.access],
    ["remote writes", config.remoteWrites],
    ["application", config.application],
    ...(config.triggers ?? []).map(({ on, at }): [string, string] => ["trigger", `${on} (${at})`]),
    ...(info.failingTriggers ?? []).map(({ on, code, detail }): [string, string] => [
      "failing",
      `${on}: ${code}: ${detail}`,
    ]),
    ["env", Object.keys(config.env ?? {}).join(", ") || undefined],
    ["secrets", config.secrets?.map((name) => `${name} (sealed)`).join(", ")],
    ["instances", `${status.instances} (running ${status.running}, queued ${status.queued})`],
    ["calls", `${status.invocationsTotal} (failed ${status.failuresTotal})`],
    ["cold starts", String(status.coldStartsTotal)],
  ]);
}
