"""LOAD: from the folder of a revision to its handler."""

import os
import sys
from importlib.util import module_from_spec, spec_from_file_location

from .failure import NoHandler

# The runtimes whose handlers are called `fn` and get None instead of an empty body.
TINYFAAS_RUNTIMES = ("python3", "python3-kv")


def load_handler(load, root):
    """Imports the function that a LOAD describes and returns its handler. `root` is the guest's own folder."""
    _prepare(load, root)
    module = _import_entry(os.path.join(load["codeDir"], load["entry"]))
    name = "fn" if load["runtime"] in TINYFAAS_RUNTIMES else "call"
    handler = getattr(module, name, None)
    if not callable(handler):
        raise NoHandler(f"{load['entry']} defines no function {name}(i)")
    return handler


def _prepare(load, root):
    os.environ.update(load.get("env") or {})
    if "TZ" in (load.get("env") or {}):
        from time import tzset

        tzset()
    code_dir = load["codeDir"]
    folder = os.path.dirname(os.path.join(code_dir, load["entry"]))
    own = [root, root + "/lib"]
    standard = [path for path in sys.path if path not in own]
    front = [root + "/lib"]
    if load["runtime"] == "python3-kv":
        # The runtime decides which kv a process gets, whatever the function ships.
        front.insert(0, root + "/compat")
        for name in ("kv", "kv.aio"):
            sys.modules.pop(name, None)
    front.append(folder)
    if folder != code_dir:
        front.append(code_dir)
    if load.get("depsDir"):
        front.append(load["depsDir"])
    sys.path[:] = front + standard
    sys.argv[:] = [load["entry"]]
    # The code is read-only, and shared by all instances.
    sys.dont_write_bytecode = True
    sys.pycache_prefix = None
    os.chdir(code_dir)


def _import_entry(path):
    name = os.path.splitext(os.path.basename(path))[0]
    if not name.isidentifier() or name in sys.modules or name in ("kv", "enoki"):
        name = "enoki_function"
    spec = spec_from_file_location(name, path)
    if spec is None:
        raise NoHandler(f"{os.path.basename(path)} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
