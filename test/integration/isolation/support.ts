import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeInvoke, decodeResult } from "../../../src/channel/invoke.js";
import { FRAME, FrameReader, FrameWriter } from "../../../src/channel/frames.js";
import type {
  GuestKind,
  GuestProcess,
  InstanceLimits,
  Isolation,
  Launcher,
} from "../../../src/ports/runtime.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { acquireGuardian, type Guardian } from "../../../src/runtimes/guardian.js";
import { createLauncher, type LauncherOptions } from "../../../src/runtimes/launcher.js";

const ROOT = join(import.meta.dirname, "../../..");

/** The guests as a node finds them, which are those of the package; the Node guest must have been built. */
export const GUESTS = {
  nodeMain: join(ROOT, "dist/guest/main.cjs"),
  pythonDir: join(ROOT, "guest/python"),
};

/** Limits that nothing here reaches by accident. */
export const ROOMY: InstanceLimits = {
  memoryBytes: 512 << 20,
  cpus: 0,
  pidsMax: 128,
  tmpBytes: 32 << 20,
};

/** A launcher with a data directory of its own. */
export interface Bench {
  readonly dataDir: string;
  readonly guardian: Guardian;
  readonly launcher: Launcher;
  close(): Promise<void>;
}

export async function openBench(options: Partial<LauncherOptions> = {}): Promise<Bench> {
  if (!existsSync(GUESTS.nodeMain)) throw new Error("run `npm run build` first");
  const dataDir = mkdtempSync(join(tmpdir(), "enoki-isolation-"));
  const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
  const launcher = await createLauncher({
    runDir: join(dataDir, "run"),
    guests: GUESTS,
    guardian,
    ...options,
  });
  return {
    dataDir,
    guardian,
    launcher,
    close: async () => {
      await launcher.close();
      await guardian.release();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The three languages, with the program under `attacks/` that is written in each. */
export const LANGUAGES = [
  { runtime: "python", kind: "python", entry: "attack.py" },
  { runtime: "node", kind: "node", entry: "attack.mjs" },
  { runtime: "binary", kind: "node", entry: "attack.sh" },
] as const satisfies readonly { runtime: string; kind: GuestKind; entry: string }[];

export type Language = (typeof LANGUAGES)[number];

/** An instance that has loaded its function. */
export interface LoadedFunction {
  readonly guest: GuestProcess;
  /** The folder that holds its code on the host. */
  readonly artefactDir: string;
  /** Resolves with `STATUS TEXT` of the result, `failed TEXT`, or `died REASON`. */
  call(body: string): Promise<string>;
}

export interface LoadOptions {
  readonly language: Language;
  readonly isolation: Isolation;
  readonly limits?: InstanceLimits;
  readonly network?: "none" | "host";
}

/** Launches an instance with the attack program of a language. */
export async function loadAttack(bench: Bench, options: LoadOptions): Promise<LoadedFunction> {
  const { language, isolation, limits = ROOMY, network = "none" } = options;
  const artefactDir = mkdtempSync(join(bench.dataDir, "artefact-"));
  mkdirSync(join(artefactDir, "code"));
  for (const file of [language.entry, "seize.pl"]) {
    cpSync(join(import.meta.dirname, "attacks", file), join(artefactDir, "code", file));
  }
  const guest = await bench.launcher.launch({
    kind: language.kind,
    functionName: "attack",
    isolation,
    network,
    limits,
    artefactDir,
  });
  const calls = new Calls(guest);
  await calls.load(language, join(guest.guestArtefactDir, "code"));
  return { guest, artefactDir, call: (body) => calls.call(body) };
}

/** Just enough of a dispatcher. */
class Calls {
  readonly #writer: FrameWriter;
  readonly #waiting = new Map<number, (answer: string) => void>();
  #nextId = 1;

  constructor(guest: GuestProcess) {
    this.#writer = new FrameWriter(guest.channel);
    const reader = new FrameReader();
    guest.channel.on("data", (chunk: Buffer) =>
      reader.push(chunk, (...frame) => this.#heed(...frame)),
    );
    guest.stdout?.resume();
    guest.stderr?.resume();
    void guest.exited.then((exit) => {
      for (const resolve of this.#waiting.values())
        resolve(`died ${exit.reason ?? exit.signal ?? exit.code}`);
    });
  }

  async load(language: Language, codeDir: string): Promise<void> {
    const { runtime, entry } = language;
    const names = {
      runtime,
      entry,
      codeDir,
      depsDir: null,
      function: "attack",
      keygroup: "attack",
    };
    const rest = { protocol: 1, revision: 1, env: {}, outputBytesMax: 1 << 20, timeoutMs: 60_000 };
    this.#writer.frame(FRAME.load, 0, JSON.stringify({ ...names, ...rest }));
    const answer = await this.#answerTo(0);
    if (answer !== "ready") throw new Error(`the attack did not load: ${answer}`);
  }

  call(body: string): Promise<string> {
    const id = this.#nextId++;
    encodeInvoke(this.#writer, id, 60_000, new Uint8Array(16), {
      method: "POST",
      path: "",
      query: "",
      contentType: "text/plain",
      idempotencyKey: "",
      headers: "",
      body: Buffer.from(body),
    });
    return this.#answerTo(id);
  }

  #answerTo(id: number): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
    });
  }

  #heed(type: number, id: number, payload: Buffer): void {
    const resolve = this.#waiting.get(id);
    if (resolve === undefined) return;
    if (type === FRAME.ready) resolve("ready");
    else if (type === FRAME.loadFailed || type === FRAME.failed)
      resolve(`failed ${payload.toString()}`);
    else if (type === FRAME.result) {
      const { body } = decodeResult(payload);
      resolve(body.toString().trim());
    } else return;
    this.#waiting.delete(id);
  }
}
