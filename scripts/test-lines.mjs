// A reporter for vitest: as each file of tests ends, and as an error outside any test shows, appends a
// line of JSON about it to the file that TEST_LINES names. So what has happened is known even where the
// run as a whole does not end.
import { appendFileSync } from "node:fs";

const linesFile = process.env.TEST_LINES;

const LOOK_MS = 500;

export default class TestLines {
  #vitest;
  #errorsTold = 0;

  onInit(vitest) {
    this.#vitest = vitest;
    setInterval(() => this.#tellErrors(), LOOK_MS).unref();
  }

  onTestRunEnd() {
    this.#tellErrors();
  }

  // why by looking: vitest tells its reporters of them only as the run ends.
  #tellErrors() {
    const errors = this.#vitest.state.getUnhandledErrors();
    for (const { message } of errors.slice(this.#errorsTold)) append({ error: String(message) });
    this.#errorsTold = errors.length;
  }

  onTestModuleEnd(module) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    const skipped = [];
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === "passed" || state === "failed") counts[state]++;
      else {
        counts.skipped++;
        skipped.push(test.fullName);
      }
    }
    // A file that could not be loaded, or whose set-up failed, has no test that says so.
    if (!module.ok() && counts.failed === 0) counts.failed = 1;
    const line = {
      file: module.relativeModuleId,
      ms: Math.round(module.diagnostic().duration),
      counts,
      skipped,
    };
    append(line);
  }
}

function append(line) {
  appendFileSync(linesFile, `${JSON.stringify(line)}\n`);
}
