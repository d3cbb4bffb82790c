"""URLs of Git repositories: the https:// form of an SSH URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
#: Hosts of SSH whose HTTPS has another name.
_HTTPS_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
_AZURE = "ssh.dev.azure.com"


def https_url(url: str) -> str:
    """Return the https:// form of a remote's URL, without user and password; "" when it has none."""
    if "://" not in url:
        found = _SCP.fullmatch(url)
        return _web(found["host"], found["path"]) if found else ""
    parts = urlsplit(url)
    if not parts.hostname:
        return ""
    if parts.scheme in ("ssh", "git", "git+ssh"):
        return _web(parts.hostname, parts.path)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{_address(url)}{parts.path}"
    return ""


def is_guess(url: str) -> bool:
    """Return whether the https:// form of a URL is a guess: SSH on a port of its own says nothing about that of HTTPS."""
    if "://" not in url:
        return False
    parts = urlsplit(url)
    return parts.scheme in ("ssh", "git", "git+ssh") and parts.port is not None and parts.hostname not in _HTTPS_HOSTS


def https_fix(url: str) -> str:
    """Return the fix for a URL of SSH where https:// is required, with the URL to write if it follows from this one."""
    if not (known := https_url(url)):
        return "use the https:// URL of the repository"
    return f"write {known}" + (", if the host has HTTPS at this address" if is_guess(url) else "")


def _web(host: str, path: str) -> str:
    path = path.strip("/")
    if host == _AZURE:  # v3/org/project/repository
        _, organisation, project, repository = [*path.split("/", 3), "", "", ""][:4]
        return f"https://dev.azure.com/{organisation}/{project}/_git/{repository}"
    return f"https://{_HTTPS_HOSTS.get(host, host)}/{path}"


def _address(url: str) -> str:
    """Return host and port of a URL."""
    return urlsplit(url).netloc.rpartition("@")[2]
