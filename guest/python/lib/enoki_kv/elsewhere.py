"""`kv` of another keygroup: a second copy of the module, whose operations name the keygroup.

The node decides for each operation whether this function was granted the right to it. Nothing is read in place there.
"""

from importlib.util import find_spec, module_from_spec
from struct import Struct

from .connection import channel
from .direct_reads import ASK_NODE
from .errors import Error
from .requests import sized

WITHIN = 12

_NAME_LENGTH_MAX = 63
# Call id (that of the outer operation counts) and operation.
_HEAD = Struct("<IB")
_copies = {}


class NoReads:
    """Leaves every read to the node."""

    def get(self, *_):
        return ASK_NODE

    exists = get_many = page = get


def is_own(name):
    """Whether that is the function's own keygroup; raises ENOKI_INVALID_NAME for what is no name."""
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LENGTH_MAX:
        raise Error("ENOKI_INVALID_NAME", "the name of a keygroup is a str of 1 to 63 characters")
    return name == channel().keygroup


def wrap(name):
    """A function that makes an operation one on that keygroup."""
    head = sized(name.encode("utf-8", "replace"))

    def within(operation, payload):
        return WITHIN, head + _HEAD.pack(0, operation) + payload

    return within


def copy_of(module, name, **replaced):
    """The copy of a module for a keygroup, made once, with those of its names replaced."""
    copy = _copies.get((module, name))
    if copy is None:
        spec = find_spec(module)
        copy = module_from_spec(spec)
        spec.loader.exec_module(copy)
        copy.__dict__.update(replaced)
        # why setdefault: two threads may have made one at once, and both are to have the same.
        copy = _copies.setdefault((module, name), copy)
    return copy
