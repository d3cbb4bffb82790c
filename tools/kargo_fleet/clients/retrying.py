"""Trying again what goes away by itself: a busy API server, a lost connection, Kargo's race with a new namespace."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from kargo_fleet.clients.process import ClientError

_LONGEST = 300  # seconds of trying; a minute of it may pass until the record of a killed Helm does not count any more
_TRANSIENT = re.compile(
    r"""
    InternalError | internal\ error | an\ error\ on\ the\ server | ServiceUnavailable | unavailable | unable\ to\ handle
    | Too\ many\ requests | TooManyRequests | the\ object\ has\ been\ modified | Operation\ cannot\ be\ fulfilled | Conflict
    | already\ exists | being\ terminated | timed?\ ?out | deadline\ exceeded | connection\ (?:refused|reset)
    | namespaces\ "kargo-[^"]*"\ not\ found
    | broken\ pipe | \bEOF\b | TLS\ handshake | http2: | did\ not\ answer | failed\ calling\ webhook | etcdserver
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Conflicts that stay until a person does something.
_FINAL = re.compile(
    r"invalid ownership metadata|is not labeled as a Project namespace|Apply failed with|waiting for the condition"
)

P = ParamSpec("P")
T = TypeVar("T")


class TransientError(ClientError):
    """A failure that is known to pass."""


def retry_transient(action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `action` until it works, with growing pauses; raises its last ClientError when it does not.

    A failure that does not pass by itself is raised at once.
    """
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_transient),
        stop=tenacity.stop_after_delay(_LONGEST),
        wait=tenacity.wait_exponential_jitter(initial=0.5, max=10, jitter=0.5),
        reraise=True,
    )
    return retrying(action, *args, **kwargs)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, TransientError):
        return True
    return (
        isinstance(error, ClientError) and bool(_TRANSIENT.search(error.message)) and not _FINAL.search(error.message)
    )
