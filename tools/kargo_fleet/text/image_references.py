"""References to images and to registries: their grammar, and what is wrong with a text that does not obey it.

The grammar is that of https://pkg.go.dev/github.com/distribution/reference without what Kargo refuses: its schema of a
Warehouse knows no IPv6 address and no `--` (pkg/subscription/schemas/image.json).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kargo_fleet.text.patterns import LinearPattern, linear

_NAME = r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
#: 1 to 65535.
_PORT = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_COMPONENT = r"[a-z0-9]+((\.|_|__|-)[a-z0-9]+)*"
_COMPONENTS = f"{_COMPONENT}(/{_COMPONENT})*"
_HOST = r"[A-Za-z0-9]+([.-][A-Za-z0-9]+)*"

#: An image repository without a tag: registry.example.com:5000/team/nginx. The chart's schema has the same pattern.
#: `<service>` may stand in its name.
IMAGE = f"({_HOST}(:{_PORT})?/)?{_COMPONENTS}".replace("[a-z0-9]+", "(<service>|[a-z0-9])+")
#: What stands before `/<service>`: a host, with or without a port and a path, or an organization of Docker Hub. A slash
#: at the end is ignored.
REGISTRY = rf"({_COMPONENTS}|({_HOST}:{_PORT}|{_NAME}(\.{_NAME})+)(/{_COMPONENTS})?)/?"

#: The placeholders that `image.registry` may have anywhere. With `<service>` it is the whole of an image's name.
_REPLACED = "<service>|<team>"


def _with_placeholders(grammar: str) -> str:
    return grammar.replace("[a-z0-9]+", f"([a-z0-9]|{_REPLACED})+").replace(
        "[A-Za-z0-9]+", f"([A-Za-z0-9]|{_REPLACED})+"
    )


#: A registry, or a pattern such as ghcr.io/example/<team>-<service>-image.
REGISTRY_PATTERN = _with_placeholders(REGISTRY)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST_AND_PORT = linear(r"[^/:]+:([^/]*)(/.*)?")
_TAG = linear(r"(.*/[^/:]*):[^/]*")
_DIGEST = linear(r"(.*)@[A-Za-z0-9]+:.*")


class Kind(NamedTuple):
    """The kinds of references: their grammar, and what they are called."""

    pattern: LinearPattern
    plural: str


KINDS = {
    "image": Kind(linear(IMAGE), "image repositories"),
    "registry": Kind(linear(REGISTRY_PATTERN), "registries"),
}


def explain(text: str, kind: str) -> tuple[str, str]:
    """Return why `text` is not a reference of a kind of KINDS, and what was probably meant, each "" if unknown."""
    pattern, plural = KINDS[kind]
    reasons = []
    wanted = text
    if kind == "registry" and "<" in re.sub(_REPLACED, "", wanted):
        reasons.append("only <service> and <team> are replaced here")
        wanted = ""
    elif kind == "image" and "<" in wanted.replace("<service>", ""):
        reasons.append("only <service> is replaced here")
        wanted = ""
    if any(character.isspace() for character in wanted):
        reasons.append(f"{plural} have no spaces")
        wanted = "".join(wanted.split())
    if scheme := _SCHEME.match(wanted):
        reasons.append(f"{plural} have no scheme")
        wanted = wanted[scheme.end() :]
    if "[" in wanted:
        reasons.append("Kargo accepts no IPv6 addresses in image references; use a host name")
        wanted = wanted.replace("[::1]", "localhost")
    if digest := _DIGEST.fullmatch(wanted):
        reasons.append(f"{plural} have no digest")
        wanted = _registry_of(digest[1]) if kind == "registry" else digest[1]
    if "@" in wanted:
        reasons.append(f"{plural} have no user; kargo-fleet credentials prints the Secret for one")
        wanted = wanted.rpartition("@")[2]
    if tag := _TAG.fullmatch(wanted if "/" in wanted or kind == "registry" else f"/{wanted}"):
        reasons.append(f"{plural} have no tag")
        wanted = _registry_of(tag[1]) if kind == "registry" else tag[1].removeprefix("/")
    if (port := _HOST_AND_PORT.fullmatch(wanted)) and not re.fullmatch(_PORT, port[1]):
        reasons.append("ports are numbers from 1 to 65535")
    if "//" in wanted or wanted.endswith("/"):
        reasons.append(f"{plural} have no empty parts between slashes")
        wanted = re.sub("/+", "/", wanted).strip("/")
    if wanted != wanted.lower() and not pattern.fullmatch(wanted):
        wanted = wanted.lower()
        reasons.append(f"{plural} are lowercase" + (f": {wanted}" if pattern.fullmatch(wanted) else ""))
    if "--" in wanted:
        reasons.append("Kargo accepts no -- in image references")
    return reasons[0] if reasons else "", wanted if pattern.fullmatch(wanted) else ""


def _registry_of(image: str) -> str:
    """Return the registry that somebody means who wrote an image of it: all but the name, behind a host and an organization."""
    name, _, tag = image.rpartition(":")
    if "/" in name and "/" not in tag:  # a tag before a digest
        image = name
    host, _, path = image.partition("/")
    if not (set(host) & set(".:") or host == "localhost"):
        path = image
    return image if "<service>" in image or "/" not in path.strip("/") else image.rpartition("/")[0]


def is_registry(text: str) -> bool:
    """Return whether a text can be `image.registry` of fleet.yaml."""
    return KINDS["registry"].pattern.fullmatch(text) is not None


def image_of(registry: str, service: str, team: str = "") -> str:
    """Return the image of a service: the registry with `<service>` filled in, or with the service's name appended."""
    pattern = registry if "<service>" in registry else f"{registry}/<service>"
    return pattern.replace("<service>", service).replace("<team>", team)
