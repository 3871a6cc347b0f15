import { existsSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { FunctionConfig, SecretChanges, TriggerSetting } from "../../client/types.js";
import {
  addNodeCommand,
  onNode,
  repeatable,
  wholeNumber,
  type Cli,
  type NodeContext,
} from "../command.js";
import { deploy, nameFromPath } from "../deploying.js";
import { triggerOptions } from "../trigger-options.js";
import { write, type Io } from "../io.js";
import { applyPlan, planApplication, readApplication } from "../manifest/application.js";
import { MANIFEST_FILE } from "../manifest/manifest.js";
import { doneText, planText } from "../manifest/plan-text.js";
import { requireReady, waitForNodes } from "../node-rows.js";
import { jsonLine } from "../output.js";
import { readSecrets } from "../secret-values.js";

/** Flags of `deploy` that say how the function runs; `dev` takes them too. */
export interface FunctionOptions {
  readonly name?: string;
  readonly runtime?: string;
  readonly env?: readonly string[];
  readonly secret?: readonly string[];
  readonly timeout?: string;
  readonly memory?: string;
  readonly cpu?: string;
  readonly maxInstances?: string;
  readonly concurrency?: string;
  readonly isolation?: string;
  readonly network?: string;
  readonly access?: string;
  readonly remoteWrites?: string;
  readonly on?: readonly TriggerSetting[];
  readonly allowBuild?: boolean;
}

interface DeployOptions extends FunctionOptions {
  readonly to?: string;
  readonly data?: string;
  readonly wait?: string;
  readonly prune?: boolean;
  readonly dryRun?: boolean;
}

const SECRET_TEXT =
  "secret variable, sealed: NAME=@FILE, NAME=- for stdin, NAME as it is set here; repeatable";

const REMOTE_WRITES_TEXT =
  "a set goes on once it is stored on another node, or once it is sent there: awaited or pipelined";

const FUNCTION_FLAGS = [
  "name",
  "runtime",
  "env",
  "secret",
  "timeout",
  "memory",
  "cpu",
  "maxInstances",
  "concurrency",
  "isolation",
  "network",
  "access",
  "remoteWrites",
  "on",
  "allowBuild",
  "to",
  "data",
] as const;

/** `enoki deploy` */
export function addDeployCommand(program: Command, cli: Cli): void {
  const command = addNodeCommand(program, {
    usage: "deploy",
    description:
      "deploy a function: a file, a folder or a zip; or the application of an enoki.yaml",
    examples: [
      "enoki deploy hello.py",
      "enoki deploy ./sensor --name sensor --env UNIT=celsius --memory 128m",
      "enoki deploy ./sensor --to edge1,edge2 --wait 30s",
      "enoki deploy ./report --data at:cloud",
      "enoki deploy ./alarm --on keygroup:readings/temp --at one",
      "enoki deploy ./report --secret API_KEY=@key.txt",
      "enoki deploy ./smart-city/enoki.yaml --prune --dry-run",
    ],
  }).argument("[path]", "where the code is, or an enoki.yaml; else ./enoki.yaml, or this folder");
  addFunctionOptions(command)
    .option("--to <nodes>", "nodes that are to run it too: names, LABEL=VALUE or all, with commas")
    .option("--data <placement>", "where its data are to lie: replicate, or at:NODE")
    .option("--wait <duration>", "how long to wait for the nodes, such as 30s")
    .option("--prune", "remove functions of the application that enoki.yaml names no longer")
    .option("--dry-run", "say what enoki.yaml would change, and change nothing")
    .action(
      onNode<DeployOptions, [string | undefined]>(cli, async (context, given) => {
        const { client, io, json, options } = context;
        const manifest = manifestFor(given);
        if (manifest !== undefined) {
          await deployApplication(context, manifest);
          return;
        }
        refuseFlags(options, ["prune", "dryRun"], `need ${MANIFEST_FILE}`);
        const path = given ?? ".";
        const name = options.name ?? nameFromPath(path);
        const config = toFunctionConfig(options);
        const wait = options.wait === undefined ? {} : { wait: options.wait };
        const to = options.to === undefined ? {} : { to: options.to };
        const data = options.data === undefined ? {} : { data: options.data };
        const secrets = await secretsOf(io, options);
        const what = { path, name, config, secrets };
        const deployed = await deploy(client, io, { ...what, ...wait, ...to, ...data });
        const info = await waitForNodes(client, io, deployed, options.wait);
        await write(io.stdout, json ? jsonLine(info) : `${info.url}\n`);
        requireReady(info);
        await write(io.stderr, `call it: enoki invoke ${info.name} [DATA]\n`);
      }),
    );
}

/** The manifest that is meant: it is named, or lies here and nothing is named. */
function manifestFor(path: string | undefined): string | undefined {
  if (path !== undefined) return basename(path) === MANIFEST_FILE ? path : undefined;
  return existsSync(MANIFEST_FILE) ? MANIFEST_FILE : undefined;
}

async function deployApplication(
  { client, io, json, options }: NodeContext<DeployOptions>,
  path: string,
): Promise<void> {
  const { prune = false, dryRun = false, wait } = options;
  refuseFlags(options, FUNCTION_FLAGS, `do not go with ${MANIFEST_FILE}, which says that itself`);
  const application = await readApplication(path, io.env);
  const { application: name } = application.manifest;
  const plan = await planApplication(client, application, { prunes: prune });
  if (!json) await write(io.stdout, planText(name, plan));
  if (!dryRun) {
    await applyPlan(client, io, application, plan, wait);
    if (!json) await write(io.stdout, doneText(plan));
  }
  if (json) {
    await write(io.stdout, jsonLine({ application: name, applied: !dryRun, changes: plan }));
  }
}

function refuseFlags(
  options: DeployOptions,
  keys: readonly (keyof DeployOptions)[],
  why: string,
): void {
  const given = keys.filter((key) => options[key] !== undefined);
  if (given.length === 0) return;
  const flags = given.map((key) => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
  throw new EnokiError("ENOKI_INVALID_INPUT", `${flags.join(", ")}: ${why}`);
}

/** Adds the flags of {@link FunctionOptions}. */
export function addFunctionOptions(command: Command): Command {
  const { on, at } = triggerOptions();
  return command
    .option("--name <name>", "name of the function; else that of the file or folder")
    .option("--runtime <runtime>", "python, node or binary; else the entry file decides")
    .addOption(repeatable("--env <name=value>", "environment variable of the function; repeatable"))
    .addOption(repeatable("--secret <name=source>", SECRET_TEXT))
    .option("--timeout <duration>", "longest call, such as 60s")
    .option("--memory <size>", "memory of an instance, such as 256m")
    .option("--cpu <cpus>", "CPUs of an instance, such as 0.5")
    .option("--max-instances <number>", "instances at once, at most")
    .option("--concurrency <number>", "calls at once per instance")
    .option("--isolation <kind>", "process or sandbox")
    .option("--network <access>", "in a sandbox: none or host")
    .option("--access <who>", "who may call it: public, or token; else as the node says")
    .option("--remote-writes <when>", REMOTE_WRITES_TEXT)
    .addOption(on)
    .addOption(at)
    .option("--allow-build", "let pip build source distributions");
}

/** Brings flags into the form of the API; what was not said is left out, and the node checks values. */
export function toFunctionConfig(options: FunctionOptions): FunctionConfig {
  const { runtime, env, timeout, memory, cpu, isolation, network, access, allowBuild } = options;
  const { maxInstances, concurrency, remoteWrites, on: triggers } = options;
  const config = {
    runtime,
    env: env === undefined ? undefined : Object.fromEntries(env.map(parseVariable)),
    timeout,
    memory,
    cpu,
    maxInstances:
      maxInstances === undefined ? undefined : wholeNumber("--max-instances", maxInstances),
    concurrency: concurrency === undefined ? undefined : wholeNumber("--concurrency", concurrency),
    isolation,
    network,
    access,
    remoteWrites,
    triggers,
    allowBuild,
  };
  const said = Object.entries(config).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as FunctionConfig;
}

/** The secrets that are to be set; `undefined` = none. */
export async function secretsOf(
  io: Io,
  { secret }: FunctionOptions,
): Promise<SecretChanges | undefined> {
  return secret === undefined ? undefined : await readSecrets(io, secret);
}

function parseVariable(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new EnokiError("ENOKI_INVALID_INPUT", `--env: ${JSON.stringify(text)} is no NAME=VALUE`);
}
