import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FakeKeygroup } from "../../helpers/fake-keygroup.js";
import { PYTHON, PYTHON_MISSING } from "../../helpers/fake-node-python.js";
import { PythonRunner } from "../../helpers/python-runner.js";

let guest: PythonRunner;

beforeAll(async () => {
  if (PYTHON) guest = await PythonRunner.start();
});

beforeEach(() => {
  if (PYTHON) guest.keygroup = new FakeKeygroup();
});

afterAll(async () => {
  if (PYTHON) await guest.close();
});

/** The code of the error that one expression raises. */
async function codeOf(expression: string): Promise<unknown> {
  return await guest.run(`
try: out = ["no error", ${expression}]
except kv.Error as error: out = error.code
`);
}

describe.skipIf(!PYTHON)(`Python's kv (${PYTHON_MISSING})`, () => {
  it.each([
    ["kv.set('k', 2**53)", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', [-(2**53)])", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', float('nan'))", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', {'a': float('-inf')})", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', {1: 2})", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', (1, 2))", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', {'a': {1, 2}})", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', [b'bytes'])", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', object())", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', kv.DELETE)", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', '\\ud800')", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', ['\\ud800'])", "ENOKI_VALUE_UNSUPPORTED"],
    ["(lambda l: (l.append(l), kv.set('k', l)))([])", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set('k', b'x' * (2**24 + 1))", "ENOKI_VALUE_TOO_LARGE"],
    ["kv.set('k', 'é' * 2**23 + 'x')", "ENOKI_VALUE_TOO_LARGE"],
    ["kv.get('')", "ENOKI_INVALID_KEY"],
    ["kv.set('', 1)", "ENOKI_INVALID_KEY"],
    ["kv.get(1)", "ENOKI_INVALID_KEY"],
    ["kv.get(b'k')", "ENOKI_INVALID_KEY"],
    ["kv.get('k' * 1025)", "ENOKI_INVALID_KEY"],
    ["kv.get('é' * 513)", "ENOKI_INVALID_KEY"],
    ["kv.delete('\\ud800')", "ENOKI_INVALID_KEY"],
    ["kv.get_many(['a', ''])", "ENOKI_INVALID_KEY"],
    ["kv.get_many('abc')", "ENOKI_INVALID_KEY"],
    ["kv.counter('')", "ENOKI_INVALID_KEY"],
    ["kv.scan(start=1)", "ENOKI_INVALID_KEY"],
    ["kv.scan(prefix='a', end='b')", "ENOKI_INVALID_INPUT"],
    ["kv.scan('a', prefix='a')", "ENOKI_INVALID_INPUT"],
    ["kv.scan(limit=-1)", "ENOKI_INVALID_INPUT"],
    ["kv.set('k', 1, ttl=5)", "ENOKI_INVALID_INPUT"],
    ["kv.set('k', 1, ttl='5')", "ENOKI_INVALID_INPUT"],
    ["kv.set('k', 1, ttl='5 s')", "ENOKI_INVALID_INPUT"],
    ["kv.set('k', 1, ttl='0s')", "ENOKI_INVALID_INPUT"],
    ["kv.set('k', 1, if_version='v', if_absent=True)", "ENOKI_INVALID_INPUT"],
    ["kv.set('k', 1, if_version=3)", "ENOKI_INVALID_INPUT"],
    ["kv.increment('k', 'x')", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.increment('k', True)", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.counter('k').add(2**53)", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.set_of('k').add(b'x')", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.map('k').set(1, 1)", "ENOKI_VALUE_UNSUPPORTED"],
    ["kv.update('k', lambda v: v, once='')", "ENOKI_INVALID_INPUT"],
    ["kv.batch().once('x' * 257)", "ENOKI_INVALID_INPUT"],
    ["kv.batch().check('k', 1)", "ENOKI_INVALID_INPUT"],
    ["kv.keygroup('')", "ENOKI_INVALID_NAME"],
    ["kv.keygroup(1)", "ENOKI_INVALID_NAME"],
  ])("refuses %s with %s before anything is sent", async (expression, code) => {
    expect(await codeOf(expression)).toBe(code);
    expect(guest.keygroup.seen).toEqual([]);
  });
});
