// What is to be done about a run of tests that was ended because nothing came from it any more.

/**
 * The files to run again. Those that have not ended; if all have, the ones that ended last, one per
 * worker: a worker that is stuck behind its last file may still have had something to say.
 * `ended` is in the order in which they ended.
 */
export function filesToRunAgain(planned, ended, workers) {
  const open = planned.filter((file) => !ended.includes(file));
  if (open.length > 0) return open;
  return [...new Set(ended.toReversed())]
    .filter((file) => planned.includes(file))
    .slice(0, workers);
}

/** One line per file that ended: the last, unless an earlier one has failures, which no repeat mends. */
export function onePerFile(lines) {
  const kept = new Map();
  for (const line of lines) {
    const before = kept.get(line.file);
    if (before === undefined || before.counts.failed === 0) kept.set(line.file, line);
  }
  return [...kept.values()];
}
