"""Regular expressions as Go reads them: RE2, the engine of Kargo and of Kubernetes."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a compiled regular expression, None when Go refuses it."""
    import re2  # imported here because few services have regular expressions

    options = re2.Options()
    options.log_errors = False
    try:
        result: re.Pattern[str] = re2.compile(pattern, options)
    except re2.error:
        return None
    return result
