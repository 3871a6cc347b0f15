// Runs every test that this machine can run, and says what it could not run and why.
// With ENOKI_TEST_STRICT=1 (continuous integration) a skipped test is a failure.
// The last line is `N passed, N failed, N skipped`.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const isStrict = process.env.ENOKI_TEST_STRICT === "1";
const tools = {
  python3: "Python functions",
  bwrap: "the sandbox (Debian: bubblewrap)",
  strace: "proofs about system calls",
  curl: "walking through the documentation as its reader",
  flock: "one node per data directory (Debian: util-linux)",
};

const missing = Object.keys(tools).filter((tool) => !isOnPath(tool));
for (const tool of missing) console.log(`missing: ${tool}, used for ${tools[tool]}`);
if (missing.length > 0) console.log("to get them: npm run setup\n");

const scratch = mkdtempSync(join(tmpdir(), "enoki-test-"));
const report = join(scratch, "report.json");
const vitest = spawn(
  process.execPath,
  [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { stdio: "inherit" },
);
vitest.on("close", (code) => {
  const counts = readReport();
  rmSync(scratch, { recursive: true, force: true });
  const isRed = code !== 0 || counts.failed > 0 || (isStrict && counts.skipped > 0);
  if (isStrict && counts.skipped > 0) console.log("skipped tests count as failures here");
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exit(isRed ? 1 : 0);
});

function readReport() {
  try {
    const json = JSON.parse(readFileSync(report, "utf8"));
    const skipped = (json.numPendingTests ?? 0) + (json.numTodoTests ?? 0);
    if (skipped > 0) listSkipped(json);
    return { passed: json.numPassedTests, failed: json.numFailedTests, skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function listSkipped(json) {
  for (const file of json.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === "pending" || test.status === "skipped" || test.status === "todo") {
        console.log(`skipped: ${test.fullName}`);
      }
    }
  }
}

function isOnPath(tool) {
  return spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
}
