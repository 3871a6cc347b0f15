/** What an `update` of a case does with the value. */
type Change = (value: never, arg: never, remove: symbol) => unknown;

/** Thrown by the update that fails, to tell it from errors of the library. */
class Thrown extends Error {}

/** True for what the update `fail` throws. */
export function isThrown(error: unknown): boolean {
  return error instanceof Thrown;
}

const add = (value: number | undefined, arg: number): number => (value ?? 0) + arg;

/** The functions that cases pass to `update`, by name. */
export const CHANGES: Readonly<Record<string, Change>> = {
  append: (value: string | undefined, arg: string) => (value ?? "") + arg,
  add,
  addAfterChange: add,
  addAfterDelete: add,
  push: (value: string[], arg: string) => [...value, arg],
  same: (value: unknown) => value,
  nothing: () => undefined,
  delete: (_value, _arg, remove) => remove,
  deleteOneAfterChange: (value: unknown, _arg, remove) => (value === 1 ? remove : undefined),
  unsupported: () => () => 1,
  fail: () => {
    throw new Thrown();
  },
};
