// A reporter for vitest: as each file of tests ends, appends a line of JSON about it to the file that
// TEST_LINES names. So what has ended is known even where the run as a whole does not end.
import { appendFileSync } from "node:fs";

const linesFile = process.env.TEST_LINES;

export default class TestLines {
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
    appendFileSync(linesFile, `${JSON.stringify(line)}\n`);
  }
}
