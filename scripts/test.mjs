// Runs every test that this machine can run, and says what it could not run and why.
// With STRICT_TESTS=1 (continuous integration) a skipped test is a failure.
// `--fast` runs unit and property tests only, for between two saves.
// The last line is `N passed, N failed, N skipped`.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";

import { filesToRunAgain, onePerFile } from "./stuck-run.mjs";
import { isRedRun, missingLines } from "./test-verdict.mjs";

const isStrict = process.env.STRICT_TESTS === "1";
const [isFast, ...chosen] =
  process.argv[2] === "--fast"
    ? [true, ...process.argv.slice(3)]
    : [false, ...process.argv.slice(2)];
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
  mosquitto: "MQTT triggers (Debian: mosquitto)",
  mosquitto_pub: "messages that another program sends (Debian: mosquitto-clients)",
  npm: "builds of functions with packages from npm",
  "python3 -m pip": "builds of functions with requirements.txt (Debian: python3-pip)",
};
// why one after the other: what starts real processes must not compete with what fills both cores.
const STAGES = isFast
  ? [["--project", "fast"]]
  : [
      ["--project", "fast", "--project", "docs"],
      ["--project", "system"],
    ];
/** No file of tests takes that long: a runner from which nothing comes any more is stuck. */
const SILENT_MAX_MS = isFast ? 3 * 60_000 : 15 * 60_000;
/** Files share processes, which spares the start of hundreds; what gets stuck so is run again in its own. */
const SHARED = isFast ? ["--no-isolate"] : [];
const RUNS_MAX = 3;
const SLOWEST_SHOWN = 12;
const VITEST = "node_modules/vitest/vitest.mjs";

const missing = isFast ? [] : Object.keys(TOOLS).filter((tool) => !isThere(tool));
for (const line of missingLines(missing, TOOLS)) console.log(line);

const scratch = mkdtempSync(join(tmpdir(), "enoki-test-"));
const linesFile = join(scratch, "lines");
writeFileSync(linesFile, "");
let isRed = false;
for (const stage of STAGES) {
  if (!(await runStage([...stage, ...chosen]))) isRed = true;
}
const files = onePerFile(endedFiles());
const errors = readLines().filter((line) => "error" in line);
rmSync(scratch, { recursive: true, force: true });

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const { counts, skipped } of files) {
  for (const key of Object.keys(sum)) sum[key] += counts[key];
  for (const name of skipped) console.log(`skipped: ${name}`);
}
console.log("the slowest files:");
for (const { file, ms } of files.sort((a, b) => b.ms - a.ms).slice(0, SLOWEST_SHOWN)) {
  console.log(`${(ms / 1000).toFixed(0).padStart(5)} s  ${file}`);
}
for (const { error } of errors) console.log(`an error outside any test: ${error}`);
if (isStrict && sum.skipped > 0) console.log("skipped tests count as failures here");
isRed ||= isRedRun({ ...sum, errors: errors.length, isStrict });
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(isRed ? 1 : 0);

/** Runs a stage to its end; true if all is well. */
async function runStage(args) {
  let todo = [];
  for (let run = 1; run <= RUNS_MAX; run++) {
    const code = await runVitest([...args, ...(run === 1 ? SHARED : []), ...todo]);
    if (code !== "stuck") return code === 0;
    // why again: a worker of vitest may end its file and not say so, or be stuck before its first
    // test; a test that waits has a timeout of its own. What never ends fails below.
    const ended = endedFiles().map(({ file }) => file);
    const planned = filesOf(args);
    todo = filesToRunAgain(planned, ended, availableParallelism());
    const what = todo.some((file) => ended.includes(file))
      ? "behind its last files, which may have more to say"
      : "not ended";
    console.log(`the runner is stuck (run ${run} of ${RUNS_MAX}); ${what}:`);
    for (const file of todo) console.log(`  ${file}`);
  }
  return false;
}

/** Resolves with the exit code, or `stuck` if it had to be ended. */
function runVitest(args) {
  const vitest = spawn(
    process.execPath,
    [
      VITEST,
      "run",
      "--passWithNoTests",
      "--reporter=default",
      "--reporter=./scripts/test-lines.mjs",
      ...args,
    ],
    // A group of its own, so that its workers end with it.
    { stdio: "inherit", detached: true, env: { ...process.env, TEST_LINES: linesFile } },
  );
  const end = () => process.kill(-vitest.pid, "SIGKILL");
  const interrupted = () => {
    end();
    process.exit(130);
  };
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  const startMs = Date.now();
  let isStuck = false;
  const watch = setInterval(() => {
    const lastMs = Math.max(startMs, statSync(linesFile).mtimeMs);
    if (Date.now() - lastMs < SILENT_MAX_MS) return;
    isStuck = true;
    end();
  }, 1000);
  return new Promise((resolve) =>
    vitest.on("close", (code) => {
      clearInterval(watch);
      process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
      resolve(isStuck ? "stuck" : code);
    }),
  );
}

function endedFiles() {
  return readLines().filter((line) => "file" in line);
}

function readLines() {
  const lines = readFileSync(linesFile, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/** The files of tests that a run with these arguments has. */
function filesOf(args) {
  const output = execFileSync(process.execPath, [VITEST, "list", "--filesOnly", "--json", ...args]);
  return JSON.parse(output.toString()).map(({ file }) => relative(process.cwd(), file));
}

function isThere(tool) {
  const probe = tool.includes(" ") ? `${tool} --version` : `command -v ${tool}`;
  // why /usr/sbin: Debian puts mosquitto there, and tests look there too, whatever PATH says.
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  return spawnSync("sh", ["-c", probe], { env }).status === 0;
}
