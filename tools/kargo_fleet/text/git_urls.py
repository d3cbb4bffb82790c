"""URLs of Git repositories: the https:// form of an SSH URL."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
#: Hosts of SSH whose HTTPS has another name.
_HTTPS_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
_AZURE = "ssh.dev.azure.com"
#: What may be a port in the short form of SSH, which has none: git@host:2222/a.git. On these hosts it is an organization.
_NUMBER = re.compile(r"[0-9]+/")
_HOSTED = ("github.com", "gitlab.com", "bitbucket.org")


def https_url(url: str) -> str:
    """Return the https:// form of a remote's URL, without user and password; "" when it has none."""
    if "://" not in url:
        found = _SCP.fullmatch(url)
        if found is None or (_NUMBER.match(found["path"]) and found["host"] not in _HOSTED):
            return ""
        return _web(found["host"], found["path"])
    parts = _split(url)
    if parts is None or not parts.hostname:
        return ""
    if parts.scheme in ("ssh", "git", "git+ssh"):
        return _web(parts.hostname, parts.path)
    if parts.scheme in ("http", "https"):
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return ""


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, None when its host or its port is not one."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def is_guess(url: str) -> bool:
    """Return whether the https:// form of a URL is a guess: SSH on a port of its own says nothing about that of HTTPS."""
    parts = _split(url) if "://" in url else None
    if parts is None:
        return False
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
    host = _HTTPS_HOSTS.get(host, host)
    return f"https://{f'[{host}]' if ':' in host else host}/{path}"


@lru_cache(maxsize=4096)  # a fleet has few repositories, and each stage of each service asks for them
def normalized(url: str) -> str:
    """Return a Git URL in lowercase, without user, .git and last slash, as NormalizeGit of Kargo's pkg/urls compares them."""
    url = url.strip().lower()
    if url.startswith(("http://", "https://")):
        url = re.sub(r"^(https?://)[^/@]*@", r"\1", url)
    elif not url.startswith("ssh://"):
        url = re.sub(r"^([^:]+):", r"ssh://\1/", url)
    return url.removesuffix("/").removesuffix(".git")
