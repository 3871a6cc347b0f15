import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { isAlive } from "../../../src/runtimes/process-table.js";
import { send } from "../../helpers/node-calls.js";
import { Nursery, type ChildNode } from "../node/child-node.js";
import { attack, ATTACKERS, deploy, deployAttack } from "./support.js";
import { NODE_USERS, startAs } from "./node-users.js";

const ENV_SECRET = "secret-in-its-environment";
const CODE_SECRET = "secret-in-its-code";
const STORED_SECRET = "secret-in-its-keygroup";
const NODE_SECRET = "secret-of-the-node";

/** Names its process, so that the test can find it from outside; keeps secrets wherever one can. */
const VICTIM = `import ctypes, os, kv

CODE = "${CODE_SECRET}"
ctypes.CDLL(None).prctl(15, b"victim", 0, 0, 0)


def call(i):
    kv.set("secret", "${STORED_SECRET}")
    return os.environ["SECRET"] + " " + CODE + " " + kv.get("secret")
`;
const VICTIM_ANSWER = `${ENV_SECRET} ${CODE_SECRET} ${STORED_SECRET}`;

for (const user of NODE_USERS) {
  describe.skipIf(user.missing !== "")(`sandboxes of ${user.title}${user.missing}`, () => {
    const nursery = new Nursery();
    let node: ChildNode;
    let dataDir: string;
    let victimPid: number;

    beforeAll(async () => {
      node = await startAs(nursery, user, { env: { SECRET_OF_THE_NODE: NODE_SECRET } });
      dataDir = node.ready.dataDir;
      const config = { isolation: "sandbox", env: { SECRET: ENV_SECRET } } as const;
      await deploy(node, "victim", { "fn.py": VICTIM }, config);
      expect((await send(node.functionsUrl, "/victim")).text).toBe(VICTIM_ANSWER);
      victimPid = node.family().find((pid) => commandOf(pid) === "victim")!;
      expect(victimPid).toBeGreaterThan(1);
      // A trusted binary's `kv` is a socket in the node's directory.
      await deployAttack(node, "neighbour", ATTACKERS[2], { isolation: "process" });
      expect((await attack(node, "neighbour", "list /")).text.trim()).toBe("did it");
    });

    afterAll(() => nursery.remove());

    it("have no process with the node's environment", async () => {
      const confined = node.family().filter((pid) => idsOf(pid).length > 1);
      expect(confined).toContain(victimPid);
      for (const pid of confined) {
        expect(textOf(`/proc/${pid}/environ`), commandOf(pid)).not.toContain(NODE_SECRET);
      }
      expect(textOf(`/proc/${node.ready.pid}/environ`)).toContain(NODE_SECRET);
    });

    for (const attacker of ATTACKERS) {
      describe(`attacked from ${attacker.runtime}`, () => {
        const [confined, trusted] = [`${attacker.runtime}-confined`, `${attacker.runtime}-trusted`];

        beforeAll(async () => {
          await deployAttack(node, confined, attacker, { isolation: "sandbox" });
          await deployAttack(node, trusted, attacker, { isolation: "process" });
        });

        const attempt = async (name: string, what: string): Promise<string> =>
          (await attack(node, name, what)).text.trim();

        /** What a trusted function can do proves nothing unless a confined one cannot. */
        async function expectRefused(what: string): Promise<void> {
          expect(await attempt(trusted, what), `${what}, trusted`).toBe("did it");
          await expectOnlyRefused(what);
        }

        async function expectOnlyRefused(what: string): Promise<void> {
          const answer = await attempt(confined, what);
          expect(answer, what).toMatch(/^refused: /);
          // A program that is not there refuses nothing.
          expect(answer, what).not.toMatch(/command not found|spawn\w* \w+ ENOENT/);
        }

        it("hide the node's stores, artefacts and lock", async () => {
          for (const path of ["stores/format", "stores/node/data.mdb", "lock", "node.pid"]) {
            await expectRefused(`read ${join(dataDir, path)}`);
          }
          for (const path of ["", "stores", "artefacts", "run"]) {
            await expectRefused(`list ${join(dataDir, path)}`);
          }
        });

        it("hide another function's code, data and place", async () => {
          const code = filesWith(join(dataDir, "artefacts"), CODE_SECRET);
          const data = filesWith(join(dataDir, "stores"), STORED_SECRET);
          expect(code).not.toEqual([]);
          expect(data).not.toEqual([]);
          for (const path of [...code, ...data]) await expectRefused(`read ${path}`);
          const slots = below(join(dataDir, "run")).filter((path) => path.endsWith("fn.py"));
          expect(slots).not.toEqual([]);
          for (const path of slots) await expectRefused(`read ${path}`);
          await expectOnlyRefused(`list /proc/${victimPid}/root/function`);
        });

        it("hide every socket of the node", async () => {
          const sockets = below(dataDir).filter((path) => statSync(path).isSocket());
          const kv = sockets.filter((path) => path.endsWith("kv.sock"));
          expect(kv).not.toEqual([]);
          await expectRefused(`unix ${kv[0]}`);
          for (const path of sockets) await expectOnlyRefused(`unix ${path}`);
        });

        it("hide the environment of the node and of other functions", async () => {
          for (const pid of [node.ready.pid, victimPid]) {
            await expectRefused(`read /proc/${pid}/environ`);
          }
        });

        it("reach neither port of the node", async () => {
          for (const url of [node.adminUrl, node.functionsUrl]) {
            await expectRefused(`connect ${new URL(url).port}`);
          }
        });

        it("signal and trace neither the node nor another function", async () => {
          for (const pid of [node.ready.pid, victimPid]) {
            await expectOnlyRefused(`signal ${pid}`);
            await expectOnlyRefused(`trace ${pid}`);
            expect(isAlive(pid)).toBe(true);
          }
        });

        it("cannot write their own code, nor mount over it", async () => {
          await expectOnlyRefused(`write /function/code/${attacker.entry}`);
          await expectOnlyRefused(`remove /function/code/${attacker.entry}`);
          await expectOnlyRefused("write /function/code/new");
          for (const path of ["/tmp", "/function/code"]) await expectOnlyRefused(`mount ${path}`);
          expect(await attempt(confined, `read /function/code/${attacker.entry}`)).toBe("did it");
        });

        it("leave the node and the other function as they were", async () => {
          expect((await send(node.adminUrl, "/readyz")).status).toBe(200);
          expect((await send(node.functionsUrl, "/victim")).text).toBe(VICTIM_ANSWER);
          expect(commandOf(victimPid)).toBe("victim");
        });
      });
    }
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/comm`).trim();
}

/** A process's ids, from the outermost namespace to its own. */
function idsOf(pid: number): string[] {
  return /^NSpid:\s+(.*)$/m.exec(textOf(`/proc/${pid}/status`))?.[1]?.split(/\s+/) ?? [];
}

/** Every path in a folder, at any depth. */
function below(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dir, name))
    .filter((path) => existsSync(path));
}

function filesWith(dir: string, text: string): string[] {
  return below(dir).filter((path) => statSync(path).isFile() && textOf(path).includes(text));
}
