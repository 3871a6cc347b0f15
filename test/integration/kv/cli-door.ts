import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { runCli } from "../../unit/cli/run-cli.js";
import type { Case } from "./cases.js";
import type { Step, StepResult } from "./drivers/driver.js";
import { isSpecial } from "./drivers/values.js";
import { textOf } from "./json-text.js";
import { bodyOf } from "./rest-door.js";

const MAIN = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

/** What a run of the command line left. */
export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Tagged {
  readonly t: string;
  readonly v: unknown;
}

/** Runs the command line once. */
export type Start = (
  node: string,
  args: readonly string[],
  stdin: string | Uint8Array,
) => Promise<Finished>;

/** Runs cases with `enoki kv …`, once per step. */
export class CliDoor {
  readonly #node: string;
  readonly #keygroup: string;
  readonly #start: Start;
  readonly #saved = new Map<string, string>();

  constructor(adminUrl: string, keygroup: string, start: Start) {
    this.#start = start;
    this.#node = adminUrl;
    this.#keygroup = keygroup;
  }

  /** Runs a case in the keygroup, which must be empty. */
  async run({ steps }: Case): Promise<StepResult[]> {
    const results: StepResult[] = [];
    for (const step of steps) {
      try {
        results.push({ ok: await this.#do(step) });
      } catch (error) {
        results.push({ error: (error as Error).message });
      }
    }
    return results;
  }

  async #do(step: Step): Promise<unknown> {
    switch (step.op) {
      case "get":
      case "entry":
        return this.#read(step);
      case "exists":
        return (await this.#kv(["get"], [textOf(step["key"])])).exitCode === 0;
      case "length":
        return lengthOf(await this.#read({ ...step, op: "get" }));
      case "set":
        return this.#set(step);
      case "delete":
        return (await this.#lines<{ existed: boolean }>(["rm", "--json"], [textOf(step["key"])]))[0]
          ?.existed;
      case "increment": {
        const by = "n" in step ? [textOf(step["n"])] : [];
        const args = [textOf(step["key"]), ...by];
        return (await this.#lines<{ value: number }>(["incr", "--json"], args))[0]?.value;
      }
      case "same":
        return this.#saved.get(textOf(step["left"])) === this.#saved.get(textOf(step["right"]));
      case "untilMissing":
        return this.#untilMissing(step);
      case "fill":
        return this.#fill(step);
      default:
        return this.#list(step);
    }
  }

  async #list(step: Step): Promise<unknown> {
    const args = ["ls", "--json"];
    for (const name of ["start", "end", "prefix", "limit"]) {
      if (name in step) args.push(`--${name}`, textOf(step[name]));
    }
    if (step["reverse"] === true) args.push("--reverse");
    if (step.op === "scan") args.push("--values");
    const items = await this.#lines<{ key: string; value: Tagged }>(args, []);
    if (step.op === "scan") return items.map(({ key, value }) => [key, shown(value)]);
    if (step.op === "keys") return items.map(({ key }) => key);
    return { count: items.length, first: items[0]?.key, last: items.at(-1)?.key };
  }

  async #read(step: Step): Promise<unknown> {
    const finished = await this.#kv(["get", "--json"], [textOf(step["key"])]);
    const isMissing = finished.exitCode === 1 && finished.stdout + finished.stderr === "";
    if (isMissing) return { $: "missing" };
    const { value, version, expiresAt } = JSON.parse(check(finished).stdout) as {
      value: Tagged;
      version: string;
      expiresAt: string | null;
    };
    if (step.op === "get") return shown(value);
    this.#save(step, version);
    const leftMs = expiresAt === null ? null : Date.parse(expiresAt) - Date.now();
    return { value: shown(value), version, leftMs };
  }

  async #set(step: Step): Promise<string> {
    const { type, body } = bodyOf(step["value"]);
    const args = ["set"];
    if (type === "application/json") args.push("--json");
    if (type === "application/octet-stream") args.push("--bytes");
    if ("ttl" in step) args.push("--ttl", textOf(step["ttl"]));
    if ("ifVersion" in step) args.push("--if-version", this.#version(step["ifVersion"]));
    if (step["ifAbsent"] === true) args.push("--if-absent");
    const version = check(await this.#kv(args, [textOf(step["key"]), "-"], body)).stdout.trim();
    this.#save(step, version);
    return version;
  }

  async #fill(step: Step): Promise<void> {
    const lines = Array.from({ length: Number(step["count"]) }, (_, n) => {
      const key = `${textOf(step["prefix"])}${String(n).padStart(5, "0")}`;
      return `${JSON.stringify({ key, value: { t: "json", v: n } })}\n`;
    });
    check(await this.#kv(["import"], [], lines.join("")));
  }

  async #untilMissing(step: Step): Promise<boolean> {
    const endMs = performance.now() + 30_000;
    while (performance.now() < endMs) {
      if ((await this.#kv(["get"], [textOf(step["key"])])).exitCode === 1) return true;
    }
    return false;
  }

  async #lines<T>(command: readonly string[], args: readonly string[]): Promise<T[]> {
    const { stdout } = check(await this.#kv(command, args));
    const lines = stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as T);
  }

  /** `enoki kv COMMAND… KEYGROUP ARGS…` */
  #kv(
    [command, ...flags]: readonly string[],
    args: readonly string[],
    stdin: string | Uint8Array = "",
  ): Promise<Finished> {
    return this.#start(
      this.#node,
      ["kv", command as string, this.#keygroup, ...args, ...flags],
      stdin,
    );
  }

  #version(said: unknown): string {
    const isSaved = typeof said === "object" && said !== null && isSpecial(said);
    return isSaved ? (this.#saved.get(textOf(said["name"])) ?? "") : textOf(said);
  }

  #save(step: Step, version: string): void {
    if ("as" in step) this.#saved.set(textOf(step["as"]), version);
  }
}

/** A {@link Start} of the built command line as a process of its own. */
export function startProcess(
  node: string,
  args: readonly string[],
  stdin: string | Uint8Array = "",
): Promise<Finished & { readonly stdoutBytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ENOKI_NODE: node };
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: "pipe" });
    const chunks: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.on("error", () => {});
    child.stdin.end(stdin);
    child.once("error", reject);
    child.once("close", (exitCode) => {
      const stdoutBytes = Buffer.concat(chunks);
      resolve({ exitCode, stdoutBytes, stdout: stdoutBytes.toString("utf8"), stderr });
    });
  });
}

/** A {@link Start} in this process, which spares the start of a hundred. */
export async function startHere(
  node: string,
  args: readonly string[],
  stdin: string | Uint8Array,
): Promise<Finished> {
  const { code, stdout, stderr } = await runCli(args, { node, stdin });
  return { exitCode: code, stdout, stderr };
}

/** @throws Error with the code that the command line printed */
function check(finished: Finished): Finished {
  if (finished.exitCode === 0) return finished;
  throw new Error(/^code: (\w+)$/m.exec(finished.stderr)?.[1] ?? finished.stderr);
}

function lengthOf(value: unknown): number {
  const isBytes = typeof value === "object" && value !== null && isSpecial(value);
  return isBytes
    ? Buffer.from(textOf(value["v"]), "base64").length
    : (value as { length: number }).length;
}

function shown({ t, v }: Tagged): unknown {
  return t === "bytes" ? { $: "bytes", v } : v;
}
