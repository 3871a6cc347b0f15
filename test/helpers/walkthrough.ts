import { spawn, type ChildProcess } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { onTestFinished } from "vitest";

import { isAsShown, stepsOf, withOutputs, type Step } from "./page-steps.js";

/** What the pages call the folder that the reader works in, and the addresses of the node. */
const SHOWN_HOME = "/home/you";
const SHOWN_FUNCTIONS = "127.0.0.1:8000";
const SHOWN_ADMIN = "127.0.0.1:8080";

const CLI = join(import.meta.dirname, "../../dist/cli/main.js");

/** What a page shows, and what its reader got instead where that differs in more than times and ids. */
export interface Walked {
  readonly shown: string;
  readonly got: string;
}

/** What a reader has before the first step. */
export interface Belongings {
  /** A folder whose content lies in the reader's own. */
  readonly files?: string;
  /** A command to begin with, which the page does not show. */
  readonly first?: string;
}

/** Does everything that a page says, from the start, within one test. Needs `npm run build`. */
export async function walkThrough(page: string, belongings: Belongings = {}): Promise<Walked> {
  const walkthrough = await Walkthrough.begin(belongings.files);
  // Also when the test's time is up in the middle of a step.
  onTestFinished(() => walkthrough.end());
  const got: string[] = [];
  if (belongings.first) {
    await walkthrough.do({ kind: "command", command: belongings.first, output: "" });
  }
  for (const step of stepsOf(page)) {
    const output = await walkthrough.do(step);
    if (step.kind !== "file") got.push(isAsShown(step.output, output) ? step.output : output);
  }
  return { shown: page, got: withOutputs(page, got) };
}

/** A reader who does what a page says, in a folder and with a node of their own. */
class Walkthrough {
  readonly #dir: string;
  #node: ChildProcess | undefined;
  #nodeOutput = "";
  #functions = "";
  #admin = "";

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async begin(files: string | undefined): Promise<Walkthrough> {
    const dir = await realpath(await mkdtemp(join(tmpdir(), "enoki-reader-")));
    const walkthrough = new Walkthrough(dir);
    await mkdir(join(dir, "home"));
    if (files !== undefined) await cp(files, join(dir, "home"), { recursive: true });
    await walkthrough.#addProgram("enoki", `exec "${process.execPath}" "${CLI}" "$@"`);
    await walkthrough.#addProgram("npx", 'exec "$@"');
    return walkthrough;
  }

  /** Does one step and returns what it printed, with the addresses and folders of the pages. */
  async do(step: Step): Promise<string> {
    if (step.kind === "file") return this.#writeFile(step.path, step.content);
    const output = step.kind === "stop" ? await this.#stop() : await this.#run(step.command);
    // As on a terminal, where the next prompt begins on a line of its own.
    const ending = output === "" || output.endsWith("\n") ? "" : "\n";
    return `${output}${ending}`
      .replaceAll(this.#functions || SHOWN_FUNCTIONS, SHOWN_FUNCTIONS)
      .replaceAll(this.#admin || SHOWN_ADMIN, SHOWN_ADMIN)
      .replaceAll(join(this.#dir, "home"), SHOWN_HOME);
  }

  async end(): Promise<void> {
    if (this.#node) await this.#stop();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #addProgram(name: string, line: string): Promise<void> {
    const path = join(this.#dir, "bin", name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `#!/bin/sh\n${line}\n`);
    await chmod(path, 0o755);
  }

  async #writeFile(path: string, content: string): Promise<string> {
    const target = join(this.#dir, "home", path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
    if (content.startsWith("#!")) await chmod(target, 0o755);
    return "";
  }

  async #run(command: string): Promise<string> {
    if (/^(?:npx )?enoki up\b/.test(command)) return this.#startNode(command);
    const here = command
      .replaceAll(SHOWN_FUNCTIONS, this.#functions)
      .replaceAll(SHOWN_ADMIN, this.#admin);
    const { stdout, closed } = this.#spawn(here);
    await closed;
    return stdout();
  }

  async #startNode(command: string): Promise<string> {
    const { child, stdout, closed } = this.#spawn(
      `exec ${command.replace("npx ", "")} --function-port 0 --admin-port 0`,
    );
    this.#node = child;
    child.once("exit", () => (this.#node = undefined));
    const isUp = (): boolean => /^Next: .*\n/m.test(stdout());
    while (!isUp() && child.exitCode === null) await Promise.race([closed, pause()]);
    const banner = stdout();
    [this.#functions = "", this.#admin = ""] = [...banner.matchAll(/http:\/\/(\S+)/g)].map(
      ([, address]) => address as string,
    );
    this.#nodeOutput = banner;
    child.stdout?.on("data", () => (this.#nodeOutput = stdout()));
    return banner;
  }

  async #stop(): Promise<string> {
    const node = this.#node;
    if (!node) throw new Error("no node runs");
    const before = this.#nodeOutput.length;
    const closed = new Promise((resolve) => node.once("close", resolve));
    node.kill("SIGINT");
    await closed;
    return this.#nodeOutput.slice(before);
  }

  #spawn(command: string) {
    const { PATH = "", ...rest } = process.env;
    const env = Object.fromEntries(
      Object.entries(rest).filter(([name]) => !name.startsWith("ENOKI_")),
    );
    const child = spawn("sh", ["-c", `exec 2>&1\n${command}`], {
      cwd: join(this.#dir, "home"),
      env: {
        ...env,
        PATH: `${join(this.#dir, "bin")}:${PATH}`,
        ...(this.#admin && { ENOKI_NODE: `http://${this.#admin}` }),
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    return { child, closed, stdout: () => output };
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
