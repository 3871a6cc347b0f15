import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { FakeNode, TEST_FOLDER } from "./fake-node.js";

export type { TestOutcome } from "./fake-node.js";

/** How authors' bundled code reaches `enoki`. */
export const IMPORTS = `const { kv, EnokiError, response } = globalThis[Symbol.for("enoki.guest")];\n`;

let bundle: Promise<string> | undefined;

/** The guest as it ships: one file. */
export function guestBundle(): Promise<string> {
  bundle ??= (async () => {
    const outfile = join(TEST_FOLDER, "main.cjs");
    const entry = new URL("../../src/guest/main.ts", import.meta.url).pathname;
    const options = { bundle: true, platform: "node", target: "node20", format: "cjs" } as const;
    await build({ ...options, entryPoints: [entry], outfile });
    return outfile;
  })();
  return bundle;
}

/** A real guest process whose node is the test. */
export class GuestUnderTest extends FakeNode {
  readonly process: ChildProcess;

  constructor(program: string, flags: readonly string[] = []) {
    const child = spawn(process.execPath, [...flags, program], {
      stdio: ["ignore", "inherit", "inherit", "pipe"],
      env: { PATH: process.env["PATH"], TMPDIR: TEST_FOLDER },
    });
    const exited = once(child, "exit").then(([code]) => code as number | null);
    super(child.stdio[3] as Socket, exited);
    this.process = child;
  }

  static async start(): Promise<GuestUnderTest> {
    return new GuestUnderTest(await guestBundle());
  }
}
