/**
 * The emulated network, in a process of its own: what it carries must not wait for a load generator, and
 * the generator not for it. Does what the lines on stdin say (see `emulator.ts`); ends when stdin does.
 */
import { setPriority } from "node:os";
import { createInterface } from "node:readline";

import { createPrng } from "../../base/prng.js";
import { EmulatedNetwork } from "../network/emulated-network.js";
import type { Command } from "./emulator.js";
import { linkBetween, type TestbedLinks } from "./places.js";

/** As a network is there before those who use it; only root may ask for it. */
const PRIORITY = -10;

const links = JSON.parse(process.argv[2] ?? "{}") as Partial<TestbedLinks>;
const network = new EmulatedNetwork({
  shapeOf: (left, right) => linkBetween(left, right, links),
  random: createPrng(1).next,
});

async function obey(command: Command): Promise<number> {
  switch (command.op) {
    case "settle":
      network.settle(command.pid, command.place);
      return 0;
    case "openTo":
      return await network.openTo(command.place, command.target);
    case "openBetween":
      return await network.openBetween(command.from, command.to, command.target);
    case "cut":
      network.cut(command.left, command.right);
      return 0;
    case "mend":
      network.mend(command.left, command.right);
      return 0;
  }
}

try {
  setPriority(PRIORITY);
} catch {
  // It stays as the others are.
}
/** Answers come in the order of the commands. */
let last = Promise.resolve();
createInterface({ input: process.stdin })
  .on("line", (line) => {
    // why its failures end the process: nothing can be measured without the network.
    last = last.then(async () => console.log(await obey(JSON.parse(line) as Command)));
  })
  .once("close", () => process.exit());
console.log("ready");
