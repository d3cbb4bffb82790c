"""Retries of transient failures: a busy API server, a lost connection, Kargo's race with a new namespace."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from kargo_fleet.clients.process import ClientError, TransientError
from kargo_fleet.clients.running import pause

_LONGEST = 300  # seconds of retries; up to a minute of it passes until the record of a killed Helm is removed
_TRANSIENT = re.compile(
    r"""
    InternalError | internal\ error | an\ error\ on\ the\ server | ServiceUnavailable | unavailable | unable\ to\ handle
    | Too\ many\ requests | TooManyRequests | the\ object\ has\ been\ modified | Operation\ cannot\ be\ fulfilled | Conflict
    | already\ exists | being\ terminated | timed?\ ?out | deadline\ exceeded | connection\ (?:refused|reset)
    | namespaces\ "kargo-[^"]*"\ not\ found
    | broken\ pipe | \bEOF\b | TLS\ handshake | http2: | failed\ calling\ webhook | etcdserver
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Conflicts that stay until somebody resolves them: not retried.
_FINAL = re.compile(
    r"invalid ownership metadata|is not labeled as a Project namespace|Apply failed with|waiting for the condition"
)

P = ParamSpec("P")
T = TypeVar("T")


def retry_transient(action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `action` until it succeeds, with growing pauses; raise its last ClientError when it does not.

    A failure that is not transient is raised at once.
    """
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_transient),
        stop=tenacity.stop_after_delay(_LONGEST),
        wait=tenacity.wait_exponential(multiplier=0.5, max=10) + tenacity.wait_random(0, 0.5),
        sleep=pause,
        reraise=True,
    )
    return retrying(action, *args, **kwargs)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, TransientError):
        return True
    return (
        isinstance(error, ClientError) and bool(_TRANSIENT.search(error.message)) and not _FINAL.search(error.message)
    )
