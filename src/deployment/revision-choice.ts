import { assert } from "../base/assert.js";
import { currentOf } from "../cluster/function-changes.js";
import type { ClusterFunctionRecord, RevisionRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import type { FunctionRecord, Revision } from "../functions/types.js";

/**
 * A kept revision: the one of that number, or the one before the current one.
 * @throws EnokiError `ENOKI_REVISION_NOT_FOUND`
 */
export function revisionOf(
  record: ClusterFunctionRecord,
  number: number | undefined,
): RevisionRecord {
  const { revisions, current, name } = record;
  const index = revisions.findIndex((revision) =>
    number === undefined ? revision.number === current : revision.number === number,
  );
  const found = number === undefined ? revisions[index - 1] : revisions[index];
  if (found) return found;
  const detail = number === undefined ? "no earlier revision" : `no revision ${number}`;
  throw new EnokiError("ENOKI_REVISION_NOT_FOUND", `function "${name}" has ${detail}`);
}

/** The revision that is to serve, of a function that was not removed. */
export function currentRecord(record: ClusterFunctionRecord): RevisionRecord {
  const current = currentOf(record);
  assert(current, "a function that was not removed has a current revision");
  return current;
}

/** The revision that serves here. */
export function lastOf(record: FunctionRecord | undefined): Revision | undefined {
  return record?.revisions.find(({ number }) => number === record.current);
}
