"""A loaded function: how its handler wants to be called, and one call from INVOKE to RESULT or FAILED."""

from enoki_kv.direct_reads import reads

from .context import Context, title_case_headers
from .failure import InvalidInput, NoHandler, describe
from .inputs import BYTES, TEXT, to_input
from .loader import TINYFAAS_RUNTIMES
from .protocol import ASKS_NODE, FAILED, FLAGS_AT, HAS_READ, INVOCATION, INVOCATION_SIZE, frame
from .results import to_result

_CO_VARARGS = 0x04
_CO_COROUTINE = 0x80
_ANNOTATIONS = {str: TEXT, "str": TEXT, bytes: BYTES, "bytes": BYTES}

_unpack = INVOCATION.unpack_from


class Function:
    """The handler with what its signature and its runtime say about inputs."""

    def __init__(self, handler, load):
        self.handler = handler
        self.is_async = _is_async(handler)
        self._is_tinyfaas = load["runtime"] in TINYFAAS_RUNTIMES
        self._output_bytes_max = load["outputBytesMax"]
        inner = handler
        while hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        self._takes_two = _takes_two(inner)
        self._forced = 0 if self._is_tinyfaas else _forced_input(inner)

    def arguments(self, payload):
        """The handler's arguments for an INVOKE; raises InvalidInput."""
        fields = _unpack(payload)
        at = INVOCATION_SIZE + fields[3] + fields[4] + fields[5]
        type_end = at + fields[6]
        body = payload[type_end + fields[7] + fields[8] :]
        if self._is_tinyfaas:
            return self._tinyfaas_arguments(payload, fields, body)
        value = to_input(bytes(payload[at:type_end]), body, self._forced)
        if self._takes_two:
            return value, Context(payload, fields, body)
        return (value,)

    def _tinyfaas_arguments(self, payload, fields, body):
        try:
            value = str(body, "utf-8") if len(body) else None
        except UnicodeDecodeError as error:
            raise InvalidInput(f"the body is not UTF-8 text: {error}") from None
        if self._takes_two:
            return value, title_case_headers(payload, fields)
        return (value,)

    def run(self, id, payload):
        """Runs a plain handler; returns the frame that answers the call."""
        asks_node = payload[FLAGS_AT] & ASKS_NODE
        reads.used = False
        reads.askers += asks_node
        try:
            value = self.handler(*self.arguments(payload))
            if hasattr(value, "__await__"):
                # A plain wrapper around an async function.
                from asyncio import run

                value = run(_awaited(value))
            return to_result(id, value, self._output_bytes_max, HAS_READ if reads.used else 0)
        except BaseException as error:
            return failed(id, error, reads.used)
        finally:
            reads.askers -= asks_node

    async def run_async(self, id, payload, readers):
        """Awaits an async handler; returns the frame that answers the call. `readers`: ids of calls that have read."""
        asks_node = payload[FLAGS_AT] & ASKS_NODE
        reads.askers += asks_node
        try:
            value = await self.handler(*self.arguments(payload))
            return to_result(id, value, self._output_bytes_max, HAS_READ if id in readers else 0)
        except BaseException as error:
            return failed(id, error, id in readers)
        finally:
            readers.discard(id)
            reads.askers -= asks_node


def failed(id, error, has_read=False):
    """The FAILED frame for an exception, even for SystemExit: it ends the call, not the instance."""
    return frame(FAILED, id, describe(error, "ENOKI_FUNCTION_ERROR", has_read))


async def _awaited(value):
    return await value


def _code_of(handler):
    """The code object behind a function, method or partial, if there is one."""
    handler = getattr(handler, "__func__", handler)
    return getattr(handler, "__code__", None)


def _is_async(handler):
    while hasattr(handler, "func") and hasattr(handler, "keywords"):  # functools.partial
        handler = handler.func
    code = _code_of(handler) or _code_of(type(handler).__call__)
    return code is not None and bool(code.co_flags & _CO_COROUTINE)


def _takes_two(handler):
    code = _code_of(handler)
    if code is not None and handler.__class__.__name__ == "function":
        needed = code.co_argcount - len(handler.__defaults__ or ())
        if code.co_flags & _CO_VARARGS and needed <= 2:
            return True
        if code.co_argcount >= 1 and needed <= 2:
            return code.co_argcount >= 2
        raise NoHandler(f"{handler.__name__} must take one or two parameters: the input, and maybe the context")
    from inspect import signature

    try:
        parameters = signature(handler)
    except ValueError:
        return False
    for count in (2, 1):
        try:
            parameters.bind(*range(count))
        except TypeError:
            continue
        return count == 2
    raise NoHandler("the handler must take one or two parameters: the input, and maybe the context")


def _forced_input(handler):
    try:
        annotations = handler.__annotations__
        code = _code_of(handler)
        first = 1 if hasattr(handler, "__self__") else 0
        annotation = annotations.get(code.co_varnames[first])
        return _ANNOTATIONS.get(annotation, 0)
    except Exception:  # no annotations, or some that cannot be evaluated
        return 0
