"""What a kustomization uses outside of its own folder."""

from __future__ import annotations

from kargo_fleet.text.patterns import linear

#: A path that leads out of a kustomization's folder, as an item of a list or behind `path:`. No YAML is parsed: there are
#: tens of thousands of these files, and a path that is missed is only a warning that is missed.
_OUTSIDE = linear(r"""(?m)^\s*(?:-\s+)?(?:path:\s*)?["']?(\.\./[^\s"'#]+)""")


def paths_outside(text: str) -> list[str]:
    """Return the paths outside of its own folder that a kustomization uses, relative to the folder."""
    return _OUTSIDE.findall(text)
