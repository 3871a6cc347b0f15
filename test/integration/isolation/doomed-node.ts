/**
 * A stand-in for a node that is about to be killed: holds the data directory of its first argument,
 * starts an endless loop in every language and isolation, and says so in one line.
 */
import { join } from "node:path";
import { silentLogger } from "../../../src/ports/logger.js";
import { acquireGuardian } from "../../../src/runtimes/guardian.js";
import { createLauncher } from "../../../src/runtimes/launcher.js";
import { GUESTS, LANGUAGES, loadAttack } from "./support.js";

const dataDir = process.argv[2]!;
const guardian = await acquireGuardian({ dataDir, logger: silentLogger });
const limits = process.argv[3] === "watched" ? "watched" : "auto";
const launcher = await createLauncher({
  runDir: join(dataDir, "run"),
  guests: GUESTS,
  guardian,
  limits,
});
const bench = { dataDir, guardian, launcher, close: () => Promise.resolve() };
for (const isolation of launcher.report.isolations) {
  for (const language of LANGUAGES) {
    const { call } = await loadAttack(bench, { language, isolation });
    void call("spin");
  }
}
process.stdout.write("running\n");
setInterval(() => {}, 1000);
