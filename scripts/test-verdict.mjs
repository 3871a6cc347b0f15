// What a run of the tests says before it begins and comes to in the end.

/** Lines for the tools that are missing: what each is for, and how to get them. */
export function missingLines(missing, usedFor) {
  if (missing.length === 0) return [];
  const lines = missing.map((tool) => `missing: ${tool}, used for ${usedFor[tool]}`);
  return [...lines, "to get them: npm run setup\n"];
}

/** Whether a run has failed: `errors` are those outside any test; where it is strict, a skip is a failure, too. */
export function isRedRun({ failed, skipped, errors, isStrict }) {
  return failed > 0 || errors > 0 || (isStrict && skipped > 0);
}
