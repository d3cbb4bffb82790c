"""Which Helm is supported, and what of the user's settings reaches it."""

from __future__ import annotations

import pytest

from kargo_fleet.clients.helm import Version, environment
from kargo_fleet.errors import FleetError


@pytest.mark.parametrize(
    ("printed", "version"),
    [("v3.18.6", (3, 18)), ("v3.21.0+g1234567", (3, 21)), ("v4.3.1\n", (4, 3)), ("v4.0.0-rc.1", (4, 0))],
)
def test_versions_that_are_supported(printed: str, version: tuple[int, int]) -> None:
    assert Version.parse(printed) == version


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("v3.17.4", "Helm v3.17.4 is not supported\nInstall Helm 3.18 or newer."),
        ("v2.17.0", "Helm v2.17.0 is not supported"),
        ("", "the version of helm on PATH, '', is not supported"),
    ],
)
def test_versions_that_are_not(printed: str, message: str) -> None:
    with pytest.raises(FleetError) as raised:
        Version.parse(printed)
    assert str(raised.value).startswith(message)


def test_settings_that_would_lead_to_another_cluster_do_not_reach_helm(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored = (
        "HELM_KUBECONTEXT HELM_KUBEAPISERVER HELM_KUBETOKEN HELM_KUBEASUSER HELM_KUBEASGROUPS HELM_KUBECAFILE "
        "HELM_KUBETLS_SERVER_NAME HELM_KUBEINSECURE_SKIP_TLS_VERIFY HELM_NAMESPACE HELM_DRIVER HELM_DEBUG"
    ).split()
    kept = ["HELM_CACHE_HOME", "HELM_REGISTRY_CONFIG", "HELM_QPS", "KUBECONFIG"]
    for name in (*ignored, *kept):
        monkeypatch.setenv(name, "x")
    assert [name for name in ignored if name in environment()] == []
    assert [name for name in kept if name not in environment()] == []
