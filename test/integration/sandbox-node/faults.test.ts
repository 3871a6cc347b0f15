import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { problemOf, send, until, type Answer } from "../../helpers/node-calls.js";
import { Nursery, type ChildNode } from "../node/child-node.js";
import { attack, ATTACKERS, deploy, deployAttack } from "./support.js";
import { NODE_USERS, startAs } from "./node-users.js";

const ANSWERS_WITHIN_MS = 2_000;
const ANSWERS_LEAST = 10;
/** How long the processes of the bomb sleep: tells them from all others. */
const SLEEP_S = `1000.${process.pid}`;
const [PYTHON] = ATTACKERS;

for (const user of NODE_USERS) {
  describe.skipIf(user.missing !== "")(
    `faults of one function on ${user.title}${user.missing}`,
    () => {
      const nursery = new Nursery();
      let node: ChildNode;

      beforeAll(async () => {
        node = await startAs(nursery, user);
        await deploy(node, "good", { "fn.py": "def call(i): return 'good'\n" }, {});
        expect((await send(node.functionsUrl, "/good")).text).toBe("good");
      });

      afterAll(() => nursery.remove());

      /** Runs the fault while it asks the other function and the node again and again. */
      async function during(name: string, what: string): Promise<Answer> {
        const fault = { isOver: false };
        const answer = attack(node, name, what).finally(() => (fault.isOver = true));
        const slowest = { function: 0, node: 0 };
        for (let round = 0; round < ANSWERS_LEAST || !fault.isOver; round++) {
          slowest.function = Math.max(slowest.function, await timed(node.functionsUrl, "/good"));
          slowest.node = Math.max(slowest.node, await timed(node.adminUrl, "/readyz"));
        }
        expect(slowest.function).toBeLessThan(ANSWERS_WITHIN_MS);
        expect(slowest.node).toBeLessThan(ANSWERS_WITHIN_MS);
        return answer;
      }

      // How a limit is held depends on the user; what runs into it does not.
      const attackers = user === NODE_USERS[0] ? ATTACKERS : [PYTHON];

      for (const attacker of attackers) {
        it(`a fork bomb in ${attacker.runtime} gets no more processes, and nothing of it is left`, async () => {
          const name = `bomb-${attacker.runtime}`;
          await deployAttack(node, name, attacker, { isolation: "sandbox", timeout: "5s" });
          const answer = await during(name, `bomb ${SLEEP_S}`);
          if (answer.status === 200) expect(answer.text).toMatch(/^refused: after \d+: /);
          // why: a shell that gets no process tries again until its time is over.
          else if (answer.status === 504) expect(problemOf(answer)["code"]).toBe("ENOKI_TIMEOUT");
          else expectDeath(answer, "pids");
          await node.client.functions.remove(name);
          await until("nothing is left of the bomb", () => bombsIn(node) === 0);
        });
      }

      for (const attacker of attackers) {
        it(`a full /tmp is an error of the function that filled it, in ${attacker.runtime}`, async () => {
          const name = `fill-${attacker.runtime}`;
          await deployAttack(node, name, attacker, { isolation: "sandbox", memory: "1g" });
          const answer = await during(name, `fill ${1 << 30}`);
          expect(answer.text).toMatch(/^refused: .*(No space left on device|ENOSPC)/i);
        });
      }

      it("1 GiB under 128 MiB ends with reason oom", async () => {
        await deployAttack(node, "eater", PYTHON, { isolation: "sandbox", memory: "128m" });
        expectDeath(await during("eater", `allocate ${1 << 30}`), "oom");
      });

      it("1 GiB under 128 MiB in the program of a binary ends with reason oom too", async () => {
        const eater = `#!/bin/sh\nexec perl -e '$x = "x" x (1 << 30); sleep 10'\n`;
        const config = { isolation: "sandbox", memory: "128m" } as const;
        await deploy(node, "binary-eater", { "fn.sh": eater }, config);
        expectDeath(await send(node.functionsUrl, "/binary-eater"), "oom");
      });

      for (const attacker of attackers) {
        it(`an endless loop in ${attacker.runtime} ends with the time that it has`, async () => {
          const name = `spin-${attacker.runtime}`;
          await deployAttack(node, name, attacker, { isolation: "sandbox", timeout: "2s" });
          const answer = await during(name, "spin");
          expect(answer.status).toBe(504);
          expect(problemOf(answer)["code"]).toBe("ENOKI_TIMEOUT");
        });
      }

      async function timed(base: string, path: string): Promise<number> {
        const startMs = performance.now();
        expect((await send(base, path)).status).toBe(200);
        return performance.now() - startMs;
      }
    },
  );
}

function expectDeath(answer: Answer, reason: string): void {
  expect(answer.status).toBe(502);
  expect(problemOf(answer)).toMatchObject({ code: "ENOKI_INSTANCE_DIED", reason });
}

function bombsIn(node: ChildNode): number {
  return node.family().filter((pid) => commandLineOf(pid).includes(SLEEP_S)).length;
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
