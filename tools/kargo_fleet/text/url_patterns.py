"""Patterns of URLs that Go's url.Parse accepts, for JSON Schemas: names of hosts, ports to 65535, escapes of two digits."""

from __future__ import annotations

_LABEL = "[A-Za-z0-9-]+"
HOST = rf"{_LABEL}(\.{_LABEL})*"
PORT = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
_HEX = "[0-9A-Fa-f]{1,4}"
#: An IPv6 address: eight parts, or fewer with `::` in one place.
_IPV6 = "|".join(
    [
        f"({_HEX}:){{7}}{_HEX}",
        f"({_HEX}:){{1,7}}:",
        *(f"({_HEX}:){{1,{7 - right}}}(:{_HEX}){{1,{right}}}" for right in range(1, 6)),
        f"{_HEX}:(:{_HEX}){{1,6}}",
        f":((:{_HEX}){{1,7}}|:)",
    ]
)
#: A host, as a name or an address: `example.com`, `[::1]`.
HOST_OR_ADDRESS = rf"({HOST}|\[({_IPV6})\])"
_SEGMENT = r"([^\s/?#%\x00-\x1f\x7f]|%[0-9A-Fa-f]{2})"
#: The URL of a repository of Helm charts, without user and password.
HELM_REPOSITORY = rf"^https?://{HOST_OR_ADDRESS}{PORT}(/{_SEGMENT}*)*$"
#: A chart in an OCI registry, without a tag.
OCI_CHART = rf"^oci://{HOST_OR_ADDRESS}{PORT}(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$"
