// Runs every test that this machine can run, and says what it could not run and why.
// With STRICT_TESTS=1 (continuous integration) a skipped test is a failure.
// The last line is `N passed, N failed, N skipped`.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const isStrict = process.env.STRICT_TESTS === "1";
const TOOLS = {
  python3: "Python functions",
  bwrap: "the sandbox (Debian: bubblewrap)",
  strace: "proofs about system calls",
  flock: "one node per data directory (Debian: util-linux)",
  curl: "clients as people use them",
  setpriv: "sandboxes of a root node (Debian: util-linux)",
  openssl: "what another program says of our certificates",
  etcd: "the naming service of clusters (Debian: etcd-server)",
  etcdctl: "the same, from outside (Debian: etcd-client)",
  "coap-client-notls": "CoAP as another implementation speaks it (Debian: libcoap3-bin)",
  "/usr/bin/python3 -c 'import grpc'": "gRPC as Python speaks it (Debian: python3-grpcio)",
  npm: "builds of functions with packages from npm",
  "python3 -m pip": "builds of functions with requirements.txt (Debian: python3-pip)",
};
// why one after the other: what starts real processes must not compete with what fills both cores.
const STAGES = [
  ["--project", "fast", "--project", "docs"],
  ["--project", "system"],
];

const missing = Object.keys(TOOLS).filter((tool) => !isThere(tool));
for (const tool of missing) console.log(`missing: ${tool}, used for ${TOOLS[tool]}`);
if (missing.length > 0) console.log("to get them: npm run setup\n");

const scratch = mkdtempSync(join(tmpdir(), "enoki-test-"));
const sum = { passed: 0, failed: 0, skipped: 0 };
let isRed = false;
for (const [index, stage] of STAGES.entries()) {
  const report = join(scratch, `report-${index}.json`);
  const code = await runVitest([...stage, ...process.argv.slice(2)], report);
  const counts = readReport(report);
  isRed ||= code !== 0;
  for (const key of Object.keys(sum)) sum[key] += counts[key];
}
rmSync(scratch, { recursive: true, force: true });
if (isStrict && sum.skipped > 0) console.log("skipped tests count as failures here");
isRed ||= sum.failed > 0 || (isStrict && sum.skipped > 0);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(isRed ? 1 : 0);

function runVitest(args, report) {
  const vitest = spawn(
    process.execPath,
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--passWithNoTests",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...args,
    ],
    { stdio: "inherit" },
  );
  return new Promise((resolve) => vitest.on("close", resolve));
}

function readReport(report) {
  try {
    const json = JSON.parse(readFileSync(report, "utf8"));
    const skipped = (json.numPendingTests ?? 0) + (json.numTodoTests ?? 0);
    for (const file of json.testResults) {
      for (const test of file.assertionResults) {
        const isSkipped = ["pending", "skipped", "todo"].includes(test.status);
        if (isSkipped) console.log(`skipped: ${test.fullName}`);
      }
    }
    return { passed: json.numPassedTests, failed: json.numFailedTests, skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function isThere(tool) {
  const probe = tool.includes(" ") ? `${tool} --version` : `command -v ${tool}`;
  return spawnSync("sh", ["-c", probe]).status === 0;
}
