"""The https:// form of the URLs that Git knows."""

from __future__ import annotations

import pytest

from kargo_fleet.text.git_urls import https_fix, https_url


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:acme/platform.git", "https://github.com/acme/platform.git"),
        ("github.com:acme/platform", "https://github.com/acme/platform"),
        ("ssh://git@git.example.com:2222/acme/platform.git", "https://git.example.com/acme/platform.git"),
        ("ssh://git@ssh.github.com:443/acme/platform.git", "https://github.com/acme/platform.git"),
        ("https://me:secret@git.example.com:8443/platform.git", "https://git.example.com:8443/platform.git"),
        ("https://token@github.com/acme/platform", "https://github.com/acme/platform"),
        ("http://git.example.com/platform.git", "http://git.example.com/platform.git"),
        ("git://git.example.com/platform.git", "https://git.example.com/platform.git"),
        ("git@ssh.dev.azure.com:v3/acme/project/platform", "https://dev.azure.com/acme/project/_git/platform"),
        ("https://acme@dev.azure.com/acme/project/_git/platform", "https://dev.azure.com/acme/project/_git/platform"),
        ("ssh://git@[::1]:2222/platform.git", "https://[::1]/platform.git"),
        ("https://[fe80::1]:8443/platform.git", "https://[fe80::1]:8443/platform.git"),
        ("git@git.example.com:2222/platform.git", ""),
        ("git@github.com:2222/platform.git", "https://github.com/2222/platform.git"),
        ("ssh://git@git.example.com:99999/platform.git", ""),
        ("ssh://git@git.example.com:port/platform.git", ""),
        ("ssh://git@[::1/platform.git", ""),
        ("file:///srv/platform.git", ""),
        ("/srv/platform.git", ""),
        ("../platform.git", ""),
        ("", ""),
    ],
)
def test_a_remote_has_a_url_that_kargo_can_use(remote: str, url: str) -> None:
    assert https_url(remote) == url


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("git@github.com:acme/platform.git", "write https://github.com/acme/platform.git"),
        (
            "ssh://git@git.example.com:2222/a/b.git",
            "write https://git.example.com/a/b.git, if the host has HTTPS at this address",
        ),
        ("ssh://git@ssh.github.com:443/a/b.git", "write https://github.com/a/b.git"),
        ("/srv/platform.git", "use the https:// URL of the repository"),
    ],
)
def test_the_fix_for_an_ssh_url_has_the_url_to_write(url: str, fix: str) -> None:
    assert https_fix(url) == fix
