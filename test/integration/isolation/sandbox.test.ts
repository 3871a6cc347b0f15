import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probeSandbox } from "../../../src/runtimes/sandbox-probe.js";
import { isAlive } from "../../../src/runtimes/process-table.js";
import { LANGUAGES, loadAttack, openBench, type Bench, type LoadedFunction } from "./support.js";

/** A process that anybody of the same user may trace, also where Yama allows that to parents only. */
const EXPENDABLE =
  "import ctypes, time; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0); print(); time.sleep(1000)";

const MODES = process.getuid?.() === 0 ? (["root", "userns"] as const) : (["userns"] as const);

/** Nobody else may mount outside of a user namespace, and a refusal is then all that can be seen. */
const mayMount = process.getuid?.() === 0 && !("missing" in (await probeSandbox("root")));

for (const mode of MODES) {
  const sandbox = await probeSandbox(mode);
  const missing = "missing" in sandbox ? `: ${sandbox.missing}; \`npm run setup\`` : "";

  describe.skipIf("missing" in sandbox)(`a sandbox (${mode})${missing}`, () => {
    let bench: Bench;
    let admin: Server;
    let other: LoadedFunction;
    let unixPath: string;
    let unixServer: Server;

    beforeAll(async () => {
      bench = await openBench({ sandboxMode: mode });
      writeFileSync(join(bench.dataDir, "secret"), "secret");
      admin = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
      unixPath = join(bench.dataDir, "socket");
      unixServer = createServer((socket) => socket.destroy()).listen(unixPath);
      other = await loadAttack(bench, { language: LANGUAGES[0], isolation: "sandbox" });
    });

    afterAll(async () => {
      admin?.close();
      unixServer?.close();
      await bench?.close();
    });

    for (const language of LANGUAGES) {
      /** The same attack on a trusted instance must succeed, or it proves nothing. */
      async function expectRefused(attack: string): Promise<void> {
        await expectDone(attack);
        await expectOnlyRefused(attack);
      }

      async function expectDone(attack: string): Promise<void> {
        const trusted = await loadAttack(bench, { language, isolation: "process" });
        expect(await trusted.call(attack)).toBe("did it");
        await trusted.guest.kill(0);
      }

      async function expectOnlyRefused(attack: string): Promise<void> {
        const confined = await loadAttack(bench, { language, isolation: "sandbox" });
        const answer = await confined.call(attack);
        expect(answer).toMatch(/^refused: /);
        // A program that is not there refuses nothing.
        expect(answer).not.toMatch(/command not found|spawn\w* \w+ ENOENT/);
        await confined.guest.kill(0);
      }

      describe(`from ${language.runtime}`, () => {
        it("hides the node's data", async () => {
          await expectRefused(`read ${join(bench.dataDir, "secret")}`);
          await expectRefused(`list ${bench.dataDir}`);
        });

        it("hides another function's code, in its artefact and in its slot", async () => {
          await expectRefused(`read ${join(other.artefactDir, "code/attack.py")}`);
          await expectRefused(`list ${join(bench.dataDir, "run/slots")}`);
        });

        it("hides other functions' sockets", async () => {
          await expectRefused(`unix ${unixPath}`);
        });

        it("hides the node's environment and memory", async () => {
          await expectRefused(`read /proc/${process.pid}/environ`);
          await expectRefused(`read /proc/${process.pid}/maps`);
        });

        it("does not reach the admin port", async () => {
          await expectRefused(`connect ${(admin.address() as AddressInfo).port}`);
        });

        it("signals and traces no foreign process", async () => {
          const expendable = spawn("python3", ["-u", "-c", EXPENDABLE], {
            stdio: ["ignore", "pipe", "ignore"],
          });
          const ended = once(expendable, "exit");
          await once(expendable.stdout, "data");
          await expectOnlyRefused(`signal ${expendable.pid}`);
          await expectRefused(`trace ${expendable.pid}`);
          expect(isAlive(expendable.pid!)).toBe(true);
          await expectRefused(`signal ${expendable.pid}`);
          await ended;
        });

        it("cannot change its own code", async () => {
          const confined = await loadAttack(bench, { language, isolation: "sandbox" });
          const inside = `${confined.guest.guestArtefactDir}/code/${language.entry}`;
          const before = readFileSync(join(confined.artefactDir, "code", language.entry), "utf8");
          expect(await confined.call(`write ${inside}`)).toMatch(/^refused: /);
          expect(await confined.call(`remove ${inside}`)).toMatch(/^refused: /);
          expect(await confined.call(`write ${confined.guest.guestArtefactDir}/new`)).toMatch(
            /^refused: /,
          );
          expect(readFileSync(join(confined.artefactDir, "code", language.entry), "utf8")).toBe(
            before,
          );
          await confined.guest.kill(0);
        });

        it("cannot change the guest or the system", async () => {
          await expectOnlyRefused("write /guest/python/main.py");
          await expectOnlyRefused("write /usr/bin/env");
          await expectOnlyRefused("write /new");
          await expectOnlyRefused("write /etc/passwd");
        });

        it("cannot mount, nor make namespaces to mount in", async () => {
          const target = join(bench.dataDir, "mounted");
          mkdirSync(target, { recursive: true });
          if (mayMount) {
            try {
              await expectDone(`mount ${target}`);
            } finally {
              execFileSync("umount", [target]);
            }
          }
          await expectOnlyRefused("mount /tmp");
          await expectRefused("namespace");
        });

        it("fills its own temporary space only", async () => {
          await expectRefused(`fill ${64 << 20}`);
        });
      });
    }
  });
}
