import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { PYTHON, PYTHON_MISSING, PythonGuest } from "../../helpers/fake-node-python.js";

const guests: PythonGuest[] = [];

function start(): PythonGuest {
  const guest = new PythonGuest();
  guests.push(guest);
  return guest;
}

afterEach(async () => {
  await Promise.all(guests.splice(0).map((guest) => guest.close()));
});

describe.skipIf(!PYTHON)(`loading a Python function (${PYTHON_MISSING})`, () => {
  it.each([
    ["no handler", "x = 1", "ENOKI_NO_ENTRY", "main.py defines no function call(i)"],
    [
      "a handler that is no function",
      "call = 1",
      "ENOKI_NO_ENTRY",
      "main.py defines no function call(i)",
    ],
    ["no parameter", "def call(): pass", "ENOKI_NO_ENTRY", "call must take one or two parameters"],
    [
      "three parameters",
      "def call(a, b, c): pass",
      "ENOKI_NO_ENTRY",
      "call must take one or two parameters",
    ],
    ["a syntax error", "def call(i)\n  return i", "ENOKI_LOAD_FAILED", "main.py, line 1"],
    [
      "a failing import",
      "import no_such_module",
      "ENOKI_LOAD_FAILED",
      "No module named 'no_such_module'",
    ],
    ["an exit", "raise SystemExit('not today')", "ENOKI_LOAD_FAILED", "not today"],
  ])("fails for %s", async (_title, source, code, message) => {
    const guest = start();
    const loaded = await guest.loadSource(source);
    expect(loaded).toMatchObject({ code, message: expect.stringContaining(message) as string });
    expect(await guest.exited).toBe(1);
  });

  it("shows the function's own traceback and no frame of the guest", async () => {
    const guest = start();
    const loaded = await guest.load(
      { "main.py": "import helper\ndef call(i): pass", "helper.py": "\n1 / 0\n" },
      { runtime: "python" },
    );
    expect(loaded).toMatchObject({ errorType: "ZeroDivisionError", message: "division by zero" });
    const frames = (loaded["traceback"] as string).match(/File "[^"]*"/g);
    expect(frames?.map((frame) => frame.split("/").at(-1))).toEqual(['main.py"', 'helper.py"']);
  });

  it("takes decorated, partial and callable handlers as what they are", async () => {
    const decorated = start();
    await decorated.loadSource(`
import functools
def log(fn):
    @functools.wraps(fn)
    def inner(*args, **kwargs): return fn(*args, **kwargs) + "!"
    return inner
@log
def call(i: str): return repr(i)
`);
    expect((await decorated.call({ body: "1", contentType: "application/json" })).text).toBe(
      "'1'!",
    );
    const partial = start();
    await partial.loadSource(
      "import functools\ndef f(a, i, ctx): return [a, i, ctx.method]\ncall = functools.partial(f, 7)",
    );
    expect((await partial.call("x")).text).toBe('[7,"x","POST"]');
    const callable = start();
    await callable.loadSource("class F:\n def __call__(self, i): return i * 2\ncall = F()");
    expect((await callable.call("x")).text).toBe("xx");
  });

  it("imports the function's own modules, reads its files, and writes nothing beside them", async () => {
    const guest = start();
    await guest.load(
      {
        "fn.py": "import helper\ndef call(i): return helper.data()",
        "helper.py": "def data(): return open('data.txt').read()",
        "data.txt": "beside the code",
      },
      { runtime: "python" },
    );
    expect((await guest.call()).text).toBe("beside the code");
    expect(readdirSync(guest.codeDir).sort()).toEqual(["data.txt", "fn.py", "helper.py"]);
  });

  it("sees no site packages, and pip's folder only if it is named", async () => {
    const guest = start();
    const depsDir = join(guest.codeDir, "..", "deps-of-loading-test");
    mkdirSync(depsDir, { recursive: true });
    writeFileSync(join(depsDir, "wheel_like.py"), "answer = 42");
    await guest.loadSource(
      "import sys, wheel_like\ndef call(i): return [wheel_like.answer, [p for p in sys.path if 'packages' in p]]",
      { depsDir },
    );
    expect((await guest.call()).text).toBe("[42,[]]");
    expect(await start().loadSource("import wheel_like")).toHaveProperty(
      "errorType",
      "ModuleNotFoundError",
    );
  });

  it("sets the environment that LOAD names before the code is imported", async () => {
    const guest = start();
    await guest.loadSource(
      "import os\nat_import = os.environ['COLOUR']\ndef call(i): return at_import",
      {
        env: { COLOUR: "blue" },
      },
    );
    expect((await guest.call()).text).toBe("blue");
  });

  it("gives a function called kv.py or json.py the libraries it imports, not itself", async () => {
    const guest = start();
    await guest.load(
      { "kv.py": "import kv\ndef call(i): return kv.get('missing', 'ours')" },
      { runtime: "python" },
    );
    expect((await guest.call()).text).toBe("ours");
  });

  it("names a library used outside a function as the mistake", async () => {
    const guest = start();
    await guest.loadSource(`
import os, subprocess, sys
import kv
lib = os.path.dirname(os.path.dirname(kv.__file__))
program = "import sys; sys.path.insert(0, sys.argv[1]); import kv\\ntry: kv.get('a')\\nexcept kv.Error as e: print(e)"
def call(i): return subprocess.run([sys.executable, "-c", program, lib], capture_output=True, text=True).stdout
`);
    expect((await guest.call()).text).toBe(
      "ENOKI_UNSUPPORTED: this works only inside a function that an Enoki node runs\n",
    );
  });
});

describe.skipIf(!PYTHON)(
  `tinyFaaS's and the prototype's Python contracts (${PYTHON_MISSING})`,
  () => {
    async function load(runtime: string, source: string): Promise<PythonGuest> {
      const guest = start();
      const loaded = await guest.load({ "fn.py": source }, { runtime });
      expect(loaded, JSON.stringify(loaded)).toHaveProperty("concurrency");
      return guest;
    }

    it("gives python3 its text, whatever the content type, None for nothing, and Title-Case headers", async () => {
      const guest = await load(
        "python3",
        "def fn(input, headers): return repr([input, headers.get('X-My-Header'), 'x-my-header' in list(headers)])",
      );
      const headers = { "x-my-header": "yes" };
      expect(
        (await guest.call({ body: "[1]", contentType: "application/json", headers })).text,
      ).toBe("['[1]', 'yes', False]");
      expect((await guest.call({ headers })).text).toBe("[None, 'yes', False]");
    });

    it("calls a python3 function of one parameter, and takes None and str from it", async () => {
      const guest = await load("python3", "def fn(i):\n    return i");
      expect(await guest.call("é")).toMatchObject({ status: 200, text: "é" });
      expect(await guest.call()).toMatchObject({ status: 200, text: "" });
    });

    it("gives python3 our kv", async () => {
      const guest = await load(
        "python3",
        "import kv\ndef fn(i): return kv.get(i) + str(hasattr(kv, 'read'))",
      );
      expect((await guest.call("k")).text).toBe("False");
    });

    it("asks for fn, not call", async () => {
      expect(
        await start().load({ "fn.py": "def call(i): pass" }, { runtime: "python3" }),
      ).toMatchObject({
        code: "ENOKI_NO_ENTRY",
        message: "fn.py defines no function fn(i)",
      });
    });

    it("gives python3-kv the prototype's kv and nothing of ours", async () => {
      const guest = await load(
        "python3-kv",
        `
import typing
import kv
def fn(i: typing.Optional[str]) -> typing.Optional[str]:
    if i is None: return str([hasattr(kv, name) for name in ("get", "set", "aio")])
    try:
        curr = kv.read("absent")
    except Exception as e:
        curr = [type(e).__name__]
    for n in range(12): kv.update(f"k{n:02}", str(n))
    kv.update("k00", "again")
    kv.delete("k01")
    return str([curr, kv.read("many"), kv.scan("k02", 11), kv.scan("k10", 5)])
`,
      );
      expect((await guest.call()).text).toBe("[False, False, False]");
      guest.keygroup.siblings = (key) =>
        key === "many"
          ? [
              { t: "str", v: "a" },
              { t: "json", v: [1] },
            ]
          : [];
      const rest = Array.from({ length: 10 }, (_, i) => `'${i + 2}'`).join(", ");
      expect((await guest.call("go")).text).toBe(
        `[['Error'], ['a', '[1]'], [${rest}], ['10', '11']]`,
      );
      expect(guest.keygroup.read("k00")).toEqual({ t: "str", v: "again" });
      expect(guest.keygroup.read("k01")).toBeUndefined();
    });
  },
);
