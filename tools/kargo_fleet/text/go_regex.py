"""Regular expressions as Go reads them: RE2, the engine of Kargo and of Kubernetes.

The C++ library knows `\\C`, any byte, which Go refuses. It also nests deeper than Go's 1,000; the chart's schema limits the length
of an expression, so that none does.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: The parts of an expression: quoted text, an escape, or one character.
_PART = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|.", re.DOTALL)


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a compiled regular expression, None when Go refuses it."""
    if r"\C" in _PART.findall(pattern):
        return None
    import re2  # imported here because few services have regular expressions

    options = re2.Options()
    options.log_errors = False
    try:
        result: re.Pattern[str] = re2.compile(pattern, options)
    except re2.error:
        return None
    return result
