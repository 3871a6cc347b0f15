import { assert } from "../base/assert.js";
import { NAMING_WRITES_MAX, type NamingCheck, type NamingWrite } from "../ports/naming.js";

/** What every driver takes for a bug in its caller. */
export function assertTransaction(
  checks: readonly NamingCheck[],
  writes: readonly NamingWrite[],
): void {
  assert(writes.length > 0, "a transaction writes something");
  for (const list of [checks, writes]) {
    assert(list.length <= NAMING_WRITES_MAX, "a transaction of the naming service is too large");
    assert(
      list.every(({ key }) => key !== ""),
      "a key of the naming service is empty",
    );
    const keys = new Set(list.map(({ key }) => key));
    assert(keys.size === list.length, "a key occurs twice in a transaction of the naming service");
  }
}
