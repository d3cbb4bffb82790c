"""References to images and registries: the grammar, held to the rules of those who read them, and what is said of others."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import schemas
from helm import CHART
from kargo_fleet.fleet.sections import REGISTRY_SCHEMA
from kargo_fleet.text.image_references import IMAGE, REGISTRY, explain, image_of
from kargo_fleet.text.json_schema import Schema
from properties import examples

#: github.com/distribution/reference v0.6.0, regexp.go: the name of an image without tag and digest.
_ALPHANUMERIC = "[a-z0-9]+"
_PART = rf"{_ALPHANUMERIC}(?:(?:[._]|__|[-]+){_ALPHANUMERIC})*"
_LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_ADDRESS = r"\[(?:[a-fA-F0-9:]+)\]"
DISTRIBUTION = re.compile(rf"(?:(?:{_LABEL}(?:\.{_LABEL})*|{_ADDRESS})(?::[0-9]+)?/)?{_PART}(?:/{_PART})*")

REGISTRIES = Schema({"properties": {"registry": REGISTRY_SCHEMA}})


def _said_by_kargo(image: str) -> list[str]:
    """Return what Kargo's schema of a subscription says."""
    return schemas.findings(schemas.subscription_validators()["image"], {"repoURL": image}, "image")


SOUND = [
    "registry.example.com",
    "registry.example.com:5000",
    "localhost:5000",
    "127.0.0.1:5000",
    "localhost",
    "registry:5000/team",
    "registry.example.com:65535/team/apps",
    "GHCR.io/example",
    "docker.io",
    "docker.io/example",
    "example",
    "ghcr.io/a_b/c__d/e.f-g",
    "ghcr.io/example/",
    "",
]
PATTERNS = [
    "ghcr.io/example/acme-mvp-<service>-service",
    "ghcr.io/example/<service>",
    "<service>",
    "ghcr.io/<team>",
    "registry-<team>.example.com:5000/<service>/app",
]


@pytest.mark.parametrize("registry", PATTERNS)
def test_patterns_of_images(registry: str) -> None:
    assert REGISTRIES.problems({"registry": registry}) == []
    assert re.fullmatch(IMAGE, image_of(registry, "nginx", "web"))


def test_a_service_is_appended_to_a_registry_only() -> None:
    assert image_of("ghcr.io/example/acme-<service>-app", "nginx") == "ghcr.io/example/acme-nginx-app"
    assert image_of("ghcr.io/<team>", "nginx", "web") == "ghcr.io/web/nginx"


@pytest.mark.parametrize("registry", SOUND)
def test_registries(registry: str) -> None:
    assert REGISTRIES.problems({"registry": registry}) == []


@pytest.mark.parametrize("registry", [registry for registry in SOUND if registry])
def test_a_service_of_a_registry_is_an_image_to_all(registry: str) -> None:
    image = f"{registry.rstrip('/')}/nginx"
    assert DISTRIBUTION.fullmatch(image)
    assert re.fullmatch(IMAGE, image)
    assert _said_by_kargo(image) == []


@examples(300)
@given(st.from_regex(re.compile(REGISTRY, re.ASCII), fullmatch=True))
def test_every_registry_makes_images(registry: str) -> None:
    image = f"{registry.rstrip('/')}/nginx"
    assert DISTRIBUTION.fullmatch(image)
    assert re.fullmatch(IMAGE, image)


def test_the_chart_has_the_same_grammar() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    own = schema["properties"]["image"]["properties"]["repoURL"]
    further = schema["definitions"]["imageSubscription"]["properties"]["repoURL"]
    assert (own["pattern"], further["pattern"]) == (f"^({IMAGE})?$", f"^{IMAGE}$")


@pytest.mark.parametrize(
    ("registry", "why", "fix"),
    [
        ("ghcr.io/My-Org", "registries are lowercase: ghcr.io/my-org", "write registry: ghcr.io/my-org"),
        ("My-Org", "registries are lowercase: my-org", "write registry: my-org"),
        ("https://ghcr.io/org", "registries have no scheme", "write registry: ghcr.io/org"),
        ("http://localhost:5000/", "registries have no scheme", "write registry: localhost:5000"),
        ("https://GHCR.io/My-Org", "registries have no scheme", "write registry: ghcr.io/my-org"),
        (" ghcr.io/org ", "registries have no spaces", "write registry: ghcr.io/org"),
        ("ghcr.io/org\n", "registries have no spaces", "write registry: ghcr.io/org"),
        ("ghcr.io//org", "registries have no empty parts between slashes", "write registry: ghcr.io/org"),
        ("ghcr.io/org:1.0", "registries have no tag", "write registry: ghcr.io/org"),
        (f"ghcr.io/org@sha256:{'a' * 64}", "registries have no digest", "write registry: ghcr.io/org"),
        ("ghcr.io/org/app:1.2", "registries have no tag", "write registry: ghcr.io/org"),
        ("localhost:5000/org/team/app:1.2", "registries have no tag", "write registry: localhost:5000/org/team"),
        ("org/app:1.2", "registries have no tag", "write registry: org"),
        ("ghcr.io/org/<service>:1.2", "registries have no tag", "write registry: ghcr.io/org/<service>"),
        (f"ghcr.io/org/app@sha256:{'a' * 64}", "registries have no digest", "write registry: ghcr.io/org"),
        (f"ghcr.io/org/app:1@sha256:{'a' * 64}", "registries have no digest", "write registry: ghcr.io/org"),
        ("kargo@ghcr.io/org", "registries have no user", "write registry: ghcr.io/org"),
        ("ghcr.io/org/<svc>", "only <service> and <team> are replaced here", "such as"),
        ("ghcr.io/Org/<service>", "registries are lowercase", "write registry: ghcr.io/org/<service>"),
        ("[::1]:5000", "Kargo accepts no IPv6 addresses", "write registry: localhost:5000"),
        ("[2001:db8::1]:5000", "Kargo accepts no IPv6 addresses in image references; use a host name", "such as"),
        ("localhost:0", "ports are numbers from 1 to 65535", "such as"),
        ("localhost:65536", "ports are numbers from 1 to 65535", "such as"),
        ("localhost:abc", "ports are numbers from 1 to 65535", "such as"),
        ("xn--a.example.com", "Kargo accepts no --", "such as"),
        ("größe.example.com", "is not allowed", "such as registry.example.com, localhost:5000 or ghcr.io/example"),
    ],
)
def test_what_is_wrong_with_a_registry(registry: str, why: str, fix: str) -> None:
    (problem,) = REGISTRIES.problems({"registry": registry})
    assert problem.code == "KF103"
    assert why in problem.message
    assert fix in problem.fix
    assert not fix.startswith("write registry") or problem.fix == fix


def test_kargo_refuses_what_is_refused_for_it() -> None:
    for image in ("[::1]:5000/nginx", "xn--a.example.com/nginx"):
        assert DISTRIBUTION.fullmatch(image)
        assert _said_by_kargo(image)


@pytest.mark.parametrize(
    ("image", "why", "wanted"),
    [
        ("nginx:1.0", "image repositories have no tag", "nginx"),
        ("localhost:5000/Nginx:1.0", "image repositories have no tag", "localhost:5000/nginx"),
        ("ghcr.io/org/<team>", "only <service> is replaced here", ""),
        ("ghcr.io/org/", "image repositories have no empty parts", "ghcr.io/org"),
    ],
)
def test_what_is_wrong_with_an_image(image: str, why: str, wanted: str) -> None:
    reason, meant = explain(image, "image")
    assert reason.startswith(why)
    assert meant == wanted


@examples(300)
@given(st.text(alphabet="aA0.-_:/[]@< >h", max_size=12))
def test_what_was_meant_is_allowed(text: str) -> None:
    for kind, pattern in (("image", IMAGE), ("registry", REGISTRY)):
        _, wanted = explain(text, kind)
        assert not wanted or jsonschema_rs.validator_for({"pattern": f"^({pattern})$"}).is_valid(wanted)
