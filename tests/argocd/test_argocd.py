"""argocd/: the text itself, and what Argo CD's own code makes of it.

Tests marked `argocd` run `tests/upstream/appset`, a small program around Argo CD v3.5's packages. It takes minutes to
build where Go's build cache is empty, and seconds after that. `KARGO_FLEET_APPSET` names one that is built already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from argocd_checkout import (
    FLEET,
    REPO,
    SERVICES,
    USUAL,
    WORKLOADS,
    Checkout,
    Run,
    Services,
    argo_cd_module,
    fleet_with,
    needs_argocd,
    parsed,
    set_names,
)
from kargo_fleet.argocd import manifests as argocd_files
from kargo_fleet.argocd import validate
from kargo_fleet.argocd.settings import DEFAULTS, StageApplication
from kargo_fleet.argocd.split import Bucket, largest, split
from kargo_fleet.fleet.argocd_section import ARGOCD_SCHEMA
from kargo_fleet.fleet.names import LONGEST_SERVICE, RESERVED_NAMES, release_name
from kargo_fleet.fleet.projects import Projects
from kargo_fleet.text import yaml_writer

OCI = {"oci": "oci://registry.example.com/org/kargo-service", "version": "1.2.3"}


def names_of(applications: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(app["metadata"]["name"] for app in applications)


# --- the text ---


def test_files_and_their_order_of_application() -> None:
    """`kubectl apply -f argocd/` goes by name and not into folders: AppProjects first, the patch not at all."""
    assert list(argocd_files.manifests(FLEET, SERVICES)) == [
        "argocd/appproject.yaml",
        "argocd/patches/argocd-cm.yaml",
        "argocd/units.yaml",
    ]
    assert list(argocd_files.manifests(WORKLOADS, SERVICES)) == [
        "argocd/appproject-workloads.yaml",
        "argocd/appproject.yaml",
        "argocd/patches/argocd-cm.yaml",
        "argocd/units.yaml",
        "argocd/workloads-dev.yaml",
        "argocd/workloads-prod-eu.yaml",
        "argocd/workloads-prod-us.yaml",
        "argocd/workloads-prod.yaml",
        "argocd/workloads-staging.yaml",
    ]


def test_nothing_is_needed() -> None:
    assert argocd_files.manifests({}, {})
    assert [problem.fix for problem in validate.findings({}, {})] == ["set git.repoURL"]


def test_same_input_same_bytes() -> None:
    backwards: Services = dict(reversed(list(SERVICES.items())))
    assert argocd_files.manifests(WORKLOADS, SERVICES) == argocd_files.manifests(WORKLOADS, backwards)


def test_a_new_service_changes_nothing() -> None:
    more = {**SERVICES, "added": USUAL}
    assert argocd_files.manifests(WORKLOADS, SERVICES) == argocd_files.manifests(WORKLOADS, more)


def test_units_cannot_delete() -> None:
    unit = parsed(FLEET, SERVICES)["argocd/units.yaml"]
    assert unit["spec"]["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert unit["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    assert unit["metadata"]["annotations"] == {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}
    assert unit["spec"]["goTemplateOptions"] == ["missingkey=error"]
    assert unit["spec"]["generators"][0]["git"]["requeueAfterSeconds"] == 600
    assert "files" not in unit["spec"]["generators"][0]["git"]


def test_every_setting_reaches_its_field() -> None:
    source = {"repoURL": "registry.example.com/org", "chart": "kargo-service", "targetRevision": "1.2.3"}
    section = {
        "namespace": "gitops",
        "destination": {"name": "kargo-cluster"},
        "targetRevision": "release",
        "appProject": {"name": "units", "roles": [{"name": "ro"}], "syncWindows": [{"kind": "deny"}]},
        "units": {
            "name": "all-units",
            "applicationName": "unit-<service>",
            "requeueAfterSeconds": 900,
            "applicationsSync": "create-only",
            "preserveResourcesOnDeletion": False,
            "labels": {"team": "platform"},
            "annotations": {"note": "a {{ b }}"},
            "preservedFields": {"annotations": [], "labels": ["mine"]},
            "ignoreApplicationDifferences": [{"jsonPointers": ["/spec/source/targetRevision"]}],
            "automated": {"enabled": False},
            "syncOptions": ["ServerSideApply=true"],
            "retry": {"limit": 3},
            "revisionHistoryLimit": 1,
        },
    }
    files = parsed(fleet_with(**section) | {"chart": OCI}, SERVICES)
    project, unit = files["argocd/appproject.yaml"], files["argocd/units.yaml"]
    assert project["spec"]["sourceRepos"] == [REPO, "registry.example.com/org"]
    assert project["spec"]["destinations"][0] == {"name": "kargo-cluster", "namespace": "kargo-*"}
    assert project["spec"]["roles"] == [{"name": "ro"}]
    assert project["spec"]["syncWindows"] == [{"kind": "deny"}]
    assert unit["metadata"]["name"] == "all-units"
    assert unit["metadata"]["namespace"] == project["metadata"]["namespace"] == "gitops"
    spec = unit["spec"]
    assert spec["syncPolicy"] == {"applicationsSync": "create-only", "preserveResourcesOnDeletion": False}
    assert spec["preservedFields"] == {"labels": ["mine"]}
    assert spec["ignoreApplicationDifferences"] == [{"jsonPointers": ["/spec/source/targetRevision"]}]
    assert spec["generators"][0]["git"]["revision"] == "release"
    assert spec["generators"][0]["git"]["requeueAfterSeconds"] == 900
    template = spec["template"]
    assert template["metadata"]["name"] == "unit-{{ .path.basename }}"
    assert template["metadata"]["labels"]["team"] == "platform"
    assert template["metadata"]["annotations"]["note"] == 'a {{ "{{" }} b }}'
    assert template["spec"]["project"] == "units"
    assert template["spec"]["destination"] == {"name": "kargo-cluster", "namespace": "kargo-{{ .path.basename }}"}
    chart, values = template["spec"]["sources"]
    assert chart["helm"]["valueFiles"] == ["$values/values/{{ .path.basename }}.yaml"]
    assert {**source, "helm": chart["helm"]} == chart
    assert values == {"repoURL": REPO, "targetRevision": "release", "ref": "values"}
    assert template["spec"]["revisionHistoryLimit"] == 1
    retry = {"limit": 3, "refresh": True, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "5m"}}
    assert template["spec"]["syncPolicy"] == {"syncOptions": ["ServerSideApply=true"], "retry": retry}


@pytest.mark.parametrize("url", [REPO, REPO.removesuffix(".git"), REPO.upper()])
def test_the_chart_and_the_values_files_cannot_be_at_two_revisions_of_one_repository(url: str) -> None:
    """Argo CD: cannot reference a different revision of the same repository."""
    (problem,) = validate.findings({**FLEET, "chart": {"git": url, "revision": "v1"}}, SERVICES)
    assert problem.message == "chart.git is this repository, git.repoURL"
    ((_, message),) = found_problems({}, source={"path": "charts/app", "repoURL": url, "targetRevision": "v1"})
    assert message.startswith(
        "argocd.workloads.source.targetRevision is v1, but the values files of stage dev are read from main"
    )
    assert found_problems({}, source={"path": "charts/app", "targetRevision": "main"}) == []
    other = {"path": "charts/app", "repoURL": "https://git.example.com/other.git", "targetRevision": "v1"}
    assert found_problems({}, source=other) == []


@pytest.mark.parametrize(
    ("chart", "source"),
    [
        (OCI, {"repoURL": "registry.example.com/org", "chart": "kargo-service", "targetRevision": "1.2.3"}),
        (
            {"oci": "oci://registry.example.com:5000/a/b/units", "version": "v1.2.3-rc.1", "path": "charts/copy"},
            {"repoURL": "registry.example.com:5000/a/b", "chart": "units", "targetRevision": "v1.2.3-rc.1"},
        ),
        (
            {"helm": "https://charts.example.com/", "version": "1.2.3"},
            {"repoURL": "https://charts.example.com", "chart": "kargo-service", "targetRevision": "1.2.3"},
        ),
        (
            {"git": "https://git.example.com/charts.git", "path": "unit", "revision": "v1"},
            {"repoURL": "https://git.example.com/charts.git", "path": "unit", "targetRevision": "v1"},
        ),
        (
            {"git": "https://git.example.com/charts.git"},
            {"repoURL": "https://git.example.com/charts.git", "path": "charts/kargo-service", "targetRevision": "main"},
        ),
    ],
    ids=lambda value: str(value.get("repoURL", next(iter(value)))),
)
def test_a_chart_from_elsewhere_is_a_source_of_its_own(chart: dict[str, str], source: dict[str, str]) -> None:
    """Its values files come from this repository; only they, or a folder of Git, render a unit again."""
    template = unit_template(chart)
    found, values = template["spec"]["sources"]
    assert found.pop("helm")["valueFiles"] == ["$values/values/{{ .path.basename }}.yaml"]
    assert found == source
    assert values == {"repoURL": REPO, "targetRevision": "main", "ref": "values"}
    folder = [f"/{source['path']}"] if "path" in source else []
    assert refreshed_by(template) == ";".join([*folder, "/values/{{ .path.basename }}.yaml"])
    project = parsed({**FLEET, "chart": chart}, SERVICES)["argocd/appproject.yaml"]
    assert project["spec"]["sourceRepos"] == [REPO, source["repoURL"]]


def unit_template(chart: Mapping[str, str]) -> dict[str, Any]:
    template: dict[str, Any] = parsed({**FLEET, "chart": chart}, SERVICES)["argocd/units.yaml"]["spec"]["template"]
    return template


def refreshed_by(template: Mapping[str, Any]) -> str:
    paths: str = template["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"]
    return paths


def test_the_chart_of_workloads_may_be_that_of_the_service() -> None:
    source = {
        "repoURL": "https://git.example.com/<service>.git",
        "path": "deploy/<service>/",
        "targetRevision": "<stage>",
    }
    files = parsed(
        fleet_with(workloads={"enabled": True, "source": source, "valueFiles": ["a/<stage>.yaml"]}), SERVICES
    )
    chart = files["argocd/workloads-dev.yaml"]["spec"]["template"]["spec"]["sources"][0]
    assert (chart["repoURL"], chart["path"], chart["targetRevision"]) == (
        "https://git.example.com/{{ .path.basename }}.git",
        "deploy/{{ .path.basename }}",
        "dev",
    )
    assert chart["helm"]["valueFiles"] == ["$values/a/dev.yaml"]
    project = files["argocd/appproject-workloads.yaml"]
    assert project["spec"]["sourceRepos"] == [REPO, "https://git.example.com/*.git"]


# --- fleet.yaml's section ---


@pytest.mark.parametrize("key", [("units", "retry"), ("workloads", "stages", "prod*"), ("appProject", "roles")])
def test_null_is_no_setting(key: tuple[str, ...]) -> None:
    """docs/argocd.md says so: each setting has a value."""
    section: Any = None
    for part in reversed(key):
        section = {part: section}
    assert not Draft7Validator(ARGOCD_SCHEMA).is_valid(section)


def test_schema_is_a_schema_in_both_dialects() -> None:
    Draft7Validator.check_schema(ARGOCD_SCHEMA)
    Draft202012Validator.check_schema(ARGOCD_SCHEMA)


def test_the_defaults_are_valid() -> None:
    Draft202012Validator(ARGOCD_SCHEMA).validate(DEFAULTS)


def test_schema_knows_every_default_and_describes_every_key() -> None:
    def walk(schema: Mapping[str, Any], default: Any, path: str) -> Iterator[str]:
        for key, inner in schema.get("properties", {}).items():
            if "description" not in inner:
                yield f"{path}.{key}: no description"
            yield from walk(inner, (default or {}).get(key) if isinstance(default, dict) else None, f"{path}.{key}")
        if schema.get("type") == "object" and "additionalProperties" not in schema:
            yield f"{path}: open"

    found = list(walk(ARGOCD_SCHEMA, DEFAULTS, "argocd"))
    assert found == []


@pytest.mark.parametrize(
    "section",
    [
        {"nmaespace": "argocd"},
        {"namespace": "Argo"},
        {"destination": {"server": "https://a", "name": "b"}},
        {"destination": {"namespace": "x"}},
        {"units": {"applicationName": "kargo"}},
        {"units": {"applicationName": "kargo-<svc>"}},
        {"units": {"maxApplications": 0}},
        {"units": {"minSets": 3}},
        {"units": {"requeueAfterSeconds": 1}},
        {"units": {"applicationsSync": "delete"}},
        {"units": {"retry": {"backoff": {"duration": "5"}}}},
        {"units": {"syncOptions": "CreateNamespace=true"}},
        {"workloads": {"applicationName": "<service>"}},
        {"workloads": {"stages": {"prod": {"automatic": False}}}},
        {"workloads": {"stages": {"Prod": {}}}},
    ],
)
def test_schema_refuses(section: dict[str, Any]) -> None:
    assert not Draft202012Validator(ARGOCD_SCHEMA).is_valid(section)


# --- splits ---

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.sets(labels, max_size=200), st.integers(1, 60), st.sampled_from([1, 2, 4, 8, 16, 32]))
def test_every_service_is_in_exactly_one_bucket(names: set[str], most: int, fewest: int) -> None:
    buckets = split(names, most, fewest)
    assert len(buckets) >= fewest
    assert len(buckets).bit_count() == 1
    assert all(sum(name in bucket for bucket in buckets) == 1 for name in names)
    assert len(buckets) == 256 or largest(names, buckets) <= most
    assert len({bucket.suffix for bucket in buckets}) == len(buckets)


@given(st.sets(labels, min_size=1, max_size=200), st.integers(1, 20))
def test_no_more_sets_than_needed(names: set[str], most: int) -> None:
    buckets = split(names, most)
    halves = [Bucket(a.prefixes + b.prefixes) for a, b in zip(buckets[::2], buckets[1::2], strict=False)]
    assert len(buckets) == 1 or largest(names, halves) > most


def test_names_of_sets() -> None:
    """No split shares a name with another, so a set of before cannot be taken for one of now."""
    found = {count: [bucket.suffix for bucket in split((), 1, count)] for count in (1, 2, 4, 16, 32, 256)}
    assert found[1] == [""]
    assert found[2] == ["-0-7", "-8-f"]
    assert found[4] == ["-0-3", "-4-7", "-8-b", "-c-f"]
    assert found[16][:2] == ["-0", "-1"]
    assert found[32][:2] == ["-00-07", "-08-0f"]
    assert found[256][-1] == "-ff"
    every = [suffix for suffixes in found.values() for suffix in suffixes]
    assert len(set(every)) == len(every)


def set_texts(fleet: dict[str, Any], services: Services) -> list[str]:
    """Return the texts of the files that hold the ApplicationSets of a fleet."""
    return [argocd_files.manifests(fleet, services)[path] for path in set_names(fleet, services)]


def test_a_split_is_followed_by_a_handover() -> None:
    before, after = {"a": USUAL, "b": USUAL}, {"a": USUAL, "b": USUAL, "c": USUAL}
    fleet = fleet_with(units={"maxApplications": 2})
    old, new = set_names(fleet, before), set_names(fleet, after)
    assert old == {"argocd/units.yaml": "kargo-units"}
    assert new == {"argocd/units-0-7.yaml": "kargo-units-0-7", "argocd/units-8-f.yaml": "kargo-units-8-f"}
    assert argocd_files.handover(fleet, set_texts(fleet, before)) == [
        "kubectl -n argocd delete applicationset kargo-units --cascade=orphan",
        "kubectl apply --server-side --force-conflicts -f argocd/",
    ]
    assert argocd_files.handover(fleet, set_texts(fleet, after))[0].split()[5:7] == [
        "kargo-units-0-7",
        "kargo-units-8-f",
    ]
    project = argocd_files.manifests(fleet, before)["argocd/appproject.yaml"]
    assert argocd_files.handover(fleet, [project, "a: [", ""]) == []


def test_sets_are_handed_over_under_the_names_that_they_had() -> None:
    before, after = fleet_with(units={"name": "old"}), fleet_with(units={"name": "new"})
    assert argocd_files.handover(after, set_texts(before, SERVICES))[0].split()[5] == "old"


def test_min_sets_keeps_a_split() -> None:
    assert list(set_names(fleet_with(units={"minSets": 4}), SERVICES)) == [
        "argocd/units-0-3.yaml",
        "argocd/units-4-7.yaml",
        "argocd/units-8-b.yaml",
        "argocd/units-c-f.yaml",
    ]


# --- problems ---


def found_problems(services: Mapping[str, Any], **workloads: Any) -> list[tuple[str, str]]:
    settings = {"enabled": True, "source": {"path": "charts/app"}, **workloads}
    return [
        (problem.service, problem.message) for problem in validate.findings(fleet_with(workloads=settings), services)
    ]


def test_a_sound_fleet_has_no_problems() -> None:
    assert validate.findings(FLEET, SERVICES) == []
    assert validate.findings(WORKLOADS, SERVICES) == []


def test_two_workloads_with_one_name() -> None:
    end = "Argo CD would handle only one of them"
    assert found_problems({"a-b": ["c"], "a": ["b-c"]}) == [
        ("a", f"the Argo CD Application 'a-b-c' of a at stage b-c is also that of a-b at stage c; {end}"),
        ("a-b", f"the Argo CD Application 'a-b-c' of a-b at stage c is also that of a at stage b-c; {end}"),
    ]
    assert validate.findings(FLEET, {"a-b": ["c"], "a": ["b-c"]}) == []  # without workloads it is no problem


def test_a_workload_named_as_a_unit() -> None:
    found = found_problems({"kargo": ["nginx"], "nginx": ["dev"]})
    assert {service for service, message in found if "'kargo-nginx' of" in message} == {"kargo", "nginx"}


def test_an_invalid_name_of_its_own() -> None:
    assert (
        "'Shop_Prod' is not a valid name for the Argo CD Application of shop at stage prod"
        in found_problems({"shop": [StageApplication("prod", "Shop_Prod")]})[0][1]
    )


@pytest.mark.parametrize(
    ("namespace", "message"),
    [
        ("kargo-<service>", "'kargo-nginx', which belongs to a control plane"),
        ("argocd", "'argocd', which belongs to a control plane"),
        ("x" * 60 + "<service>", "; namespace names are limited to 63 characters"),
    ],
)
def test_a_namespace_that_is_no_workloads(namespace: str, message: str) -> None:
    found = found_problems({"nginx": ["dev"]}, destination={"namespace": namespace})
    assert [(service, message in text) for service, text in found] == [("nginx", True)]


def test_settings_that_do_not_go_together() -> None:
    assert "argocd.workloads.source has no path or chart" in found_problems({}, source={})[0][1]
    assert (
        "argocd.workloads.source.chart requires repoURL and targetRevision"
        in found_problems({}, source={"chart": "app"})[0][1]
    )
    assert "are both 'kargo-units'" in found_problems({}, appProject={"name": "kargo-units"})[0][1]


def test_more_services_than_sets_can_hold() -> None:
    many = {f"svc-{number}": ["dev"] for number in range(600)}
    found = validate.findings(fleet_with(units={"maxApplications": 1}), many)
    assert [problem.service for problem in found] == [""]
    assert found[0].message.startswith("argocd.units.maxApplications is 1, but even 256 sets hold up to")


# --- YAML ---


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.booleans(), st.integers(), st.lists(st.text()))))
def test_yaml_holds_what_was_put_in(document: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_writer.document({"top": document}, yaml_writer.ANNOTATED)) == {"top": document}


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "null",
        "~",
        "0",
        "8e1",
        "0x1",
        "1.0",
        "12:30",
        "a: b",
        "a #b",
        "- a",
        "",
        " a",
        "{{ x }}",
        "*",
        "!x",
    ],
)
def test_yaml_quotes_what_is_not_plainly_a_string(text: str) -> None:
    assert yaml_writer.gently_quoted(text)[0] in "'\""


def test_yaml_comments_and_blocks() -> None:
    note = yaml_writer.Note("why\nand how", [yaml_writer.Note("this one", {"a": "x"}), {"b": "line\nline\n"}])
    assert yaml_writer.document({"list": note, "empty": []}, yaml_writer.ANNOTATED, "head") == (
        "# head\n# why\n# and how\nlist:\n  # this one\n  - a: x\n  - b: |\n      line\n      line\nempty: []\n"
    )


# --- against the CRDs ---


@cache
def crd(kind: str) -> Draft202012Validator:
    text = (argo_cd_module() / "manifests" / "crds" / f"{kind.lower()}-crd.yaml").read_text()
    schema = yaml.load(text, Loader=yaml.CSafeLoader)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return Draft202012Validator(closed(schema))


def closed(schema: Any) -> Any:
    """Return `schema` with every object closed that names its properties; a CRD would drop the rest without a word."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(found.get("properties"), dict) and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


@pytest.mark.parametrize(
    ("fleet", "services"),
    [
        ({"git": {"repoURL": REPO}}, {}),
        (FLEET, SERVICES),
        (WORKLOADS, SERVICES),
        (fleet_with(units={"minSets": 32}, workloads={**WORKLOADS["argocd"]["workloads"], "minSets": 2}), SERVICES),
        (
            {**FLEET, "chart": OCI},
            SERVICES,
        ),
        (fleet_with(destination={"name": "in-cluster"}, units={"automated": {"enabled": False}}), SERVICES),
    ],
)
def test_manifests_are_what_the_crds_describe(fleet: dict[str, Any], services: dict[str, Any]) -> None:
    for path, manifest in parsed(fleet, services).items():
        if manifest["kind"] != "ConfigMap":
            assert [error.message for error in crd(manifest["kind"]).iter_errors(manifest)] == [], path


# --- Argo CD renders the sets ---


@needs_argocd
def test_one_application_per_service(checkout: Checkout) -> None:
    checkout.services(SERVICES)
    applications = checkout.applications(FLEET, SERVICES)
    assert names_of(applications) == sorted(f"kargo-{service}" for service in SERVICES)
    nginx = next(app for app in applications if app["metadata"]["name"] == "kargo-nginx")
    assert nginx["metadata"]["namespace"] == "argocd"
    assert nginx["metadata"]["annotations"] == {"argocd.argoproj.io/manifest-generate-paths": ".;/values/nginx.yaml"}
    assert nginx["metadata"]["labels"] == {
        "app.kubernetes.io/name": "nginx",
        "app.kubernetes.io/component": "kargo-unit",
    }
    assert "finalizers" not in nginx["metadata"]
    assert nginx["spec"]["project"] == "kargo-units"
    assert nginx["spec"]["destination"] == {"server": "https://kubernetes.default.svc", "namespace": "kargo-nginx"}
    assert nginx["spec"]["source"] == {
        "repoURL": REPO,
        "targetRevision": "main",
        "path": "charts/kargo-service",
        "helm": {
            "releaseName": "nginx",
            "valueFiles": ["/values/nginx.yaml"],
            "parameters": [{"name": "service.name", "value": "nginx", "forceString": True}],
        },
    }
    assert nginx["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}


@needs_argocd
def test_folders_that_are_no_services(checkout: Checkout) -> None:
    longest, too_long = "x" * LONGEST_SERVICE, "x" * (LONGEST_SERVICE + 1)
    fine = ["nginx", "a", "0", "a-b", longest]
    reserved = sorted(RESERVED_NAMES)
    checkout.services(
        [
            *fine,
            ".hidden",
            "_template",
            "Upper",
            "under_score",
            "dot.ted",
            "-a",
            "a-",
            "ümlaut",
            "a b",
            too_long,
            *reserved,
        ]
    )
    checkout.services(["nginx/nested", "nginx/nested/deeper"])
    (checkout.repo / "services" / "README.md").write_text("no folder\n")
    assert names_of(checkout.applications(FLEET, {})) == sorted(f"kargo-{name}" for name in fine)


@needs_argocd
def test_what_is_in_the_folders_does_not_matter(checkout: Checkout) -> None:
    checkout.services(SERVICES)
    before = checkout.applications(WORKLOADS, SERVICES)
    (checkout.repo / "values").mkdir()
    for service in SERVICES:
        (checkout.repo / "values" / f"{service}.yaml").write_text(
            "service: {name: api-gateway}\npath: {basename: api-gateway}\n"
        )
        (checkout.repo / "services" / service / "values-dev.yaml").write_text("\t{{ .path }}: [broken\n")
        (checkout.repo / "services" / service / "config.json").write_text('{"path": {"basename": "api-gateway"}}')
        (checkout.repo / "services" / service / "kargo.yaml").write_bytes(b"\xff\xfe\x00")
    assert checkout.applications(WORKLOADS, SERVICES) == before


@needs_argocd
@pytest.mark.parametrize("count", [1, 2, 4, 16, 32])
def test_sets_share_the_services_out(checkout: Checkout, count: int) -> None:
    names = [f"svc-{number}" for number in range(100)]
    checkout.services(names)
    services = dict.fromkeys(names, USUAL)
    fleet = fleet_with(units={"minSets": count})
    rendered = checkout.render(fleet, services)
    assert len(rendered) == count
    assert names_of(app for found in rendered for app in found["applications"] or []) == sorted(
        f"kargo-{name}" for name in names
    )
    assert {found["repoCalls"] for found in rendered} == {1}
    buckets = split(names, 1500, count)
    for found, bucket in zip(rendered, buckets, strict=True):
        assert names_of(found["applications"] or []) == sorted(f"kargo-{name}" for name in names if name in bucket)
    # The Applications are the same ones, whatever the number of sets.
    whole = {app["metadata"]["name"]: app for app in checkout.applications(FLEET, services)}
    assert all(whole[app["metadata"]["name"]] == app for found in rendered for app in found["applications"] or [])


@needs_argocd
def test_a_service_in_a_folder_that_the_tool_has_not_seen_yet(checkout: Checkout) -> None:
    checkout.services([*SERVICES, "brand-new"])
    fleet = fleet_with(units={"minSets": 4})
    assert "kargo-brand-new" in names_of(checkout.applications(fleet, SERVICES))


@needs_argocd
def test_services_elsewhere(checkout: Checkout) -> None:
    """A folder of services whose name has characters that globs know."""
    odd = checkout.repo / "plat[1]" / "services" / "nginx"
    odd.mkdir(parents=True)
    (checkout.repo / "plat1" / "services" / "apache").mkdir(parents=True)
    assert names_of(checkout.applications({**FLEET, "services": "plat[1]/services"}, {})) == ["kargo-nginx"]


@needs_argocd
def test_teams(checkout: Checkout) -> None:
    """Argo CD computes team and service from the path as the tool does; hidden folders of both levels are left out."""
    checkout.services(["payments/api", "search/query", "_old/gone", "payments/_gone"])
    workloads = {"enabled": True, "source": {"path": "charts/app"}, "destination": {"namespace": "<team>-<stage>"}}
    section = {"units": {"applicationName": "<team>-<service>", "labels": {"team": "<team>"}}, "workloads": workloads}
    fleet = fleet_with(**section) | {"services": "services/<team>/<service>"}
    teams = {"api": "payments", "query": "search"}
    files = argocd_files.manifests(fleet, {"api": USUAL, "query": ["dev", "canary"]}, None, teams)
    applications = {app["metadata"]["name"]: app for app in checkout.rendered(files)}
    assert {"payments-api", "search-query", "api-prod", "query-canary"} <= applications.keys()
    assert len(applications) == 2 + 3 + 2
    unit = applications["payments-api"]
    assert unit["metadata"]["labels"]["team"] == "payments"
    assert unit["spec"]["destination"]["namespace"] == "kargo-api"
    workload = applications["query-canary"]
    assert workload["spec"]["source"]["helm"]["valueFiles"][1] == "/services/search/query/values-canary.yaml"
    assert workload["spec"]["destination"]["namespace"] == "search-canary"


@needs_argocd
def test_environments(checkout: Checkout) -> None:
    """An environment-first tree: the units are listed, the workloads are the folders of each stage."""
    for folder in ("dev/api", "prod/api", "dev/cron", "prod/cron", "prod/_gone"):
        (checkout.repo / "envs" / folder).mkdir(parents=True)
    section = {"units": {"minSets": 2}, "workloads": {"enabled": True, "source": {"path": "charts/app"}}}
    fleet = fleet_with(**section) | {"services": "envs/<stage>/<service>"}
    files = argocd_files.manifests(fleet, {"api": ["dev", "prod"], "cron": ["dev"], "no": []})
    applications = {app["metadata"]["name"]: app for app in checkout.rendered(files)}
    assert sorted(applications) == ["api-dev", "api-prod", "cron-dev", "kargo-api", "kargo-cron", "kargo-no"]
    unit = applications["kargo-no"]["spec"]
    assert unit["destination"]["namespace"] == "kargo-no"
    assert unit["source"]["helm"]["releaseName"] == "no"
    assert unit["source"]["helm"]["valueFiles"] == ["/values/no.yaml"]
    assert applications["api-prod"]["spec"]["source"]["helm"]["valueFiles"] == ["/envs/prod/api/values.yaml"]


@needs_argocd
@pytest.mark.parametrize("services", ["services", "envs/<stage>/<service>"])
def test_projects_of_other_names(checkout: Checkout, services: str) -> None:
    """Argo CD computes the name of a Project as the tool does: a unit's namespace, and the Stage of a workload."""
    checkout.services(["api", "web"])
    (checkout.repo / "envs/dev/api").mkdir(parents=True)
    workloads = {"enabled": True, "source": {"path": "charts/app"}}
    fleet = fleet_with(workloads=workloads) | {"services": services, "values": {"project": {"name": "acme-<service>"}}}
    projects = Projects("acme-<service>", {"api": "existing"})
    files = argocd_files.manifests(fleet, {"api": ["dev"], "web": ["dev"]}, projects=projects)
    applications = {app["metadata"]["name"]: app for app in checkout.rendered(files)}
    assert applications["kargo-api"]["spec"]["destination"]["namespace"] == "existing"
    assert applications["kargo-web"]["spec"]["destination"]["namespace"] == "acme-web"
    assert applications["api-dev"]["metadata"]["annotations"]["kargo.akuity.io/authorized-stage"] == "existing:dev"


def test_a_service_is_listed_in_the_set_of_its_shard() -> None:
    fleet = fleet_with(units={"splitBy": "shard"}) | {"services": "envs/<stage>/<service>", "shards": ["a", "b"]}
    files = argocd_files.manifests(fleet, {"api": USUAL, "web": USUAL}, {"api": "b", "web": "a"})
    listed = {
        path: [one["service"] for one in yaml.safe_load(text)["spec"]["generators"][0]["list"]["elements"]]
        for path, text in files.items()
        if path.startswith("argocd/units")
    }
    assert listed == {"argocd/units-shard-a.yaml": ["web"], "argocd/units-shard-b.yaml": ["api"]}


@needs_argocd
def test_workloads(checkout: Checkout) -> None:
    checkout.services(SERVICES)
    applications = [
        app for app in checkout.applications(WORKLOADS, SERVICES) if app["spec"]["project"] == "kargo-workloads"
    ]
    stages = {
        app["metadata"]["name"]: app["metadata"]["annotations"]["kargo.akuity.io/authorized-stage"]
        for app in applications
    }
    assert stages == {
        "api-gateway-dev": "kargo-api-gateway:dev",
        "api-gateway-staging": "kargo-api-gateway:staging",
        "api-gateway-prod": "kargo-api-gateway:prod",
        "legacy-app-dev": "kargo-legacy:dev",
        "legacy-staging": "kargo-legacy:staging",
        "legacy-app": "kargo-legacy:prod",
        "nginx-dev": "kargo-nginx:dev",
        "nginx-staging": "kargo-nginx:staging",
        "nginx-prod": "kargo-nginx:prod",
        "reports-dev": "kargo-reports:dev",
        "reports-prod": "kargo-reports:prod",
        "shop-dev": "kargo-shop:dev",
        "shop-staging": "kargo-shop:staging",
        "shop-prod-eu": "kargo-shop:prod-eu",
        "shop-prod-us": "kargo-shop:prod-us",
    }
    by_name = {app["metadata"]["name"]: app["spec"] for app in applications}
    assert by_name["nginx-dev"]["source"]["helm"] == {
        "releaseName": "nginx",
        "valueFiles": ["/services/nginx/base-values.yaml", "/services/nginx/values-dev.yaml"],
    }
    assert by_name["legacy-app"]["destination"]["namespace"] == "legacy-prod"
    by_itself = {name for name, spec in by_name.items() if "automated" in spec["syncPolicy"]}
    assert by_itself == {name for name in stages if "prod" not in stages[name]}


@needs_argocd
def test_a_release_is_called_what_deploy_calls_it(checkout: Checkout) -> None:
    names = ["a", "b" * 53, "c" * 54, "d" * 57, f"{'e' * 42}--{'f' * 12}", f"{'g' * 40}----{'h' * 10}"]
    checkout.services(names)
    applications = checkout.applications(FLEET, dict.fromkeys(names, USUAL))
    found = {app["metadata"]["name"]: app["spec"]["source"]["helm"]["releaseName"] for app in applications}
    assert found == {f"kargo-{name}": release_name(name) for name in names}


@needs_argocd
def test_workloads_by_stage_and_split(checkout: Checkout) -> None:
    names = [f"svc-{number}" for number in range(40)]
    checkout.services([*names, "odd"])
    services: dict[str, Sequence[StageApplication | str]] = dict.fromkeys(names, USUAL)
    services["odd"] = ["dev", StageApplication("live", "odd")]
    workloads = {
        "enabled": True,
        "source": {"repoURL": "https://charts.example", "chart": "app", "targetRevision": "2.0.0"},
        "minSets": 4,
        "stages": {"live": {"destination": {"name": "live-cluster"}, "targetRevision": "live"}, "prod": None},
    }
    fleet = {**fleet_with(workloads=workloads), "values": {"stages": {"staging": None, "qa": {}}}}
    applications = [
        app for app in checkout.applications(fleet, services) if app["spec"]["project"] == "kargo-workloads"
    ]
    expected = [f"{name}-{stage}" for name in names for stage in USUAL] + ["odd-dev", "odd"]
    assert names_of(applications) == sorted(expected)
    odd = next(app["spec"] for app in applications if app["metadata"]["name"] == "odd")
    assert odd["destination"] == {"name": "live-cluster", "namespace": "odd-live"}
    assert [source["targetRevision"] for source in odd["sources"]] == ["2.0.0", "live"]
    assert odd["sources"][0]["helm"]["valueFiles"][1] == "$values/services/odd/values-live.yaml"
    prod = next(app["spec"] for app in applications if app["metadata"]["name"] == "svc-0-prod")
    assert "automated" not in prod["syncPolicy"]  # `prod*` still says so


# --- Argo CD's controller hands Applications over ---


@needs_argocd
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 4), (4, 1)])
def test_a_split_moves_applications_and_makes_none_anew(checkout: Checkout, before: int, after: int) -> None:
    names = [f"svc-{number}" for number in range(20)]
    checkout.services(names)

    def sets(count: int) -> dict[Path, Bucket]:
        files = {}
        manifests = argocd_files.manifests(fleet_with(units={"minSets": count}), dict.fromkeys(names, USUAL))
        for path, bucket in zip(sorted(p for p in manifests if "/units" in p), split(names, 1500, count), strict=True):
            file = checkout.folder / f"{count}-{Path(path).name}"
            file.write_text(manifests[path])
            files[file] = bucket
        return files

    def owners(count: int) -> dict[str, str]:
        return {f"kargo-{name}": f"kargo-units{b.suffix}" for b in sets(count).values() for name in names if name in b}

    old = ",".join(map(str, sets(before)))
    steps = checkout.appset("handover", "-repo", checkout.repo, "-old", old, *sets(after))[0]
    found = [{name: app["owner"] for name, app in step["applications"].items()} for step in steps]
    errors = [step["errors"] for step in steps]
    # While the old sets are there they stay in charge, and the new ones say so.
    assert found[0] == found[1] == owners(before)
    assert len(errors[1]) == after
    assert all("already owned by another ApplicationSet controller" in error for error in errors[1])
    # Deleted, they let go of everything; the new ones take it.
    assert set(found[2].values()) == {""}
    assert found[3] == owners(after)
    assert [errors[0], errors[2], errors[3]] == [[], [], []]
    uids = [{name: app["uid"] for name, app in step["applications"].items()} for step in steps]
    assert all(step == uids[0] for step in uids)


# --- Argo CD reads the AppProjects ---


def ask(appset: Run, tmp_path: Path, project: Mapping[str, Any], questions: Iterable[Mapping[str, str]]) -> list[bool]:
    file = tmp_path / "project.yaml"
    file.write_text(json.dumps(project))
    lines = "\n".join(json.dumps(question) for question in questions)
    answers: list[bool] = appset("permits", "-project", file, stdin=lines)
    return answers


SERVER, ELSEWHERE = "https://kubernetes.default.svc", "https://elsewhere.example"


@needs_argocd
@pytest.mark.parametrize("destination", [{"server": SERVER}, {"name": "in-cluster"}])
def test_where_units_may_go(appset: Run, tmp_path: Path, destination: dict[str, str]) -> None:
    project = parsed(fleet_with(destination=destination), {})["argocd/appproject.yaml"]
    here = {"server": SERVER, "clusterName": "in-cluster"}
    there = {"server": ELSEWHERE, "clusterName": "elsewhere"}
    allowed = [{**here, "namespace": "kargo-nginx"}, {**here, "namespace": "kargo-a"}]
    refused = [
        *({**here, "namespace": name} for name in ("kargo", "kube-system", "default", "argocd", "nginx")),
        *({**cluster, "namespace": f"kargo-{name}"} for name in RESERVED_NAMES for cluster in (here, there)),
        {**there, "namespace": "kargo-nginx"},
        {**there, "namespace": "default"},
    ]
    assert ask(appset, tmp_path, project, allowed) == [True] * len(allowed)
    assert ask(appset, tmp_path, project, refused) == [False] * len(refused)


@needs_argocd
def test_a_negated_namespace_would_open_the_project(appset: Run, tmp_path: Path) -> None:
    """Why the AppProject denies by `server: "!**"`. When this fails, argoproj/argo-cd#21264 is mended."""
    project = parsed(FLEET, {})["argocd/appproject.yaml"]
    project["spec"]["destinations"][1:] = [{"server": SERVER, "namespace": "!kargo-shared-resources"}]
    answers = ask(
        appset,
        tmp_path,
        project,
        [{"server": SERVER, "namespace": name} for name in ("kargo-shared-resources", "kube-system")],
    )
    assert answers == [False, True]


@needs_argocd
def test_what_units_may_hold(appset: Run, tmp_path: Path) -> None:
    project = parsed(FLEET, {})["argocd/appproject.yaml"]

    def thing(kind: str, group: str = "", name: str = "x", namespace: str = "kargo-nginx") -> dict[str, str]:
        return {"server": SERVER, "kind": kind, "group": group, "name": name, "namespace": namespace}

    kargo, rbac = "kargo.akuity.io", "rbac.authorization.k8s.io"
    allowed = [
        thing("Namespace", name="kargo-nginx", namespace=""),
        thing("Project", kargo, "kargo-nginx", ""),
        *(thing(kind, kargo) for kind in ("ProjectConfig", "PromotionTask", "Warehouse", "Stage")),
        thing("AnalysisTemplate", "argoproj.io"),
        thing("Role", rbac),
        thing("RoleBinding", rbac),
        thing("ServiceAccount"),
        thing("ResourceQuota"),
    ]
    refused = [
        thing("Namespace", name="nginx", namespace=""),
        thing("Namespace", name="kargo-shared-resources", namespace=""),
        thing("Project", kargo, "kargo-cluster-secrets", ""),
        thing("Project", kargo, "nginx", ""),
        thing("ClusterRole", rbac, namespace=""),
        thing("ClusterRoleBinding", rbac, namespace=""),
        thing("ClusterPromotionTask", kargo, namespace=""),
        thing("Secret"),
        thing("ConfigMap"),
        thing("Pod"),
        thing("Freight", kargo),
        thing("Promotion", kargo),
        thing("Application", "argoproj.io"),
        thing("ClusterAnalysisTemplate", "argoproj.io", namespace=""),
        thing("Role", rbac, namespace="default"),
        thing("ServiceAccount", namespace="kargo-shared-resources"),
    ]
    assert ask(appset, tmp_path, project, allowed) == [True] * len(allowed)
    assert ask(appset, tmp_path, project, refused) == [False] * len(refused)
    repos = [
        {"repoURL": REPO},
        {"repoURL": REPO.removesuffix(".git")},
        {"repoURL": "https://github.com/YOUR_ORG/other.git"},
    ]
    assert ask(appset, tmp_path, project, repos) == [True, True, False]


@needs_argocd
def test_what_workloads_may_do(appset: Run, tmp_path: Path) -> None:
    project = parsed(WORKLOADS, SERVICES)["argocd/appproject-workloads.yaml"]
    places = ("nginx-dev", "shop-prod-us", "kargo-nginx", "kargo-dev", "kube-dev", "argocd", "nginx", "kargo")
    answers = ask(appset, tmp_path, project, [{"server": SERVER, "namespace": name} for name in places])
    assert answers == [True, True, False, False, False, False, False, False]
    kinds = [
        {"server": SERVER, "kind": "Deployment", "group": "apps", "name": "nginx", "namespace": "nginx-dev"},
        {"server": SERVER, "kind": "Namespace", "name": "nginx-dev"},
        {"server": SERVER, "kind": "Namespace", "name": "nginx"},
        {"server": SERVER, "kind": "ResourceQuota", "name": "x", "namespace": "nginx-dev"},
        {"server": SERVER, "kind": "ClusterRole", "group": "rbac.authorization.k8s.io", "name": "x"},
    ]
    assert ask(appset, tmp_path, project, kinds) == [True, True, False, False, False]


# --- Argo CD runs the health checks ---


def condition(kind: str, status: str, reason: str = "", message: str = "", generation: int = 2) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation}


# What Kargo v1.11 writes, from pkg/controller and pkg/controller/management in its module.
DISCOVERING = [
    condition("Reconciling", "True", "ScheduledDiscovery", "Discovering artifacts for 1 subscriptions"),
    condition("Ready", "False", "DiscoveryInProgress", "Waiting for discovery to complete"),
    condition(
        "Healthy", "Unknown", "Pending", "Health status cannot be determined until artifact discovery is finished"
    ),
]
DISCOVERED = [
    condition("Healthy", "True", "ReconciliationSucceeded"),
    condition("Ready", "True", "ArtifactsDiscovered"),
]
HEALTH: list[tuple[str, dict[str, Any] | None, str, str]] = [
    ("Project", None, "Progressing", "Waiting for Kargo"),
    ("Project", {"conditions": []}, "Progressing", "Waiting for Kargo"),
    ("Project", {"conditions": [condition("Ready", "True", "Synced", "ready for use")]}, "Healthy", "ready for use"),
    (
        "Project",
        {"conditions": [condition("Ready", "True", "Synced", generation=1)]},
        "Progressing",
        "Waiting for Kargo",
    ),
    ("Project", {"conditions": [condition("Ready", "False", "Syncing", "Ensuring")]}, "Progressing", "Ensuring"),
    ("Project", {"conditions": [condition("Ready", "False", "EnsuringNamespaceFailed", "no")]}, "Degraded", "no"),
    (
        "Project",
        {
            "conditions": [
                condition("Ready", "False", "EnsuringNamespaceFailed", "failed"),
                condition("Stalled", "True", "ExistingNamespaceMissingLabel", "missing label"),
            ]
        },
        "Degraded",
        "missing label",
    ),
    ("ProjectConfig", None, "Progressing", "Waiting for Kargo"),
    ("ProjectConfig", {"conditions": [condition("Ready", "True", "Synced")]}, "Healthy", ""),
    (
        "ProjectConfig",
        {"conditions": [condition("Ready", "False", "SyncingWebhooks", "Syncing")]},
        "Progressing",
        "Syncing",
    ),
    (
        "ProjectConfig",
        {"conditions": [condition("Ready", "False", "SyncWebhookReceiversFailed", "secret not found")]},
        "Degraded",
        "secret not found",
    ),
    ("Warehouse", None, "Progressing", "Waiting for Kargo"),
    ("Warehouse", {"conditions": DISCOVERING}, "Progressing", "Discovering artifacts"),
    ("Warehouse", {"conditions": DISCOVERED, "observedGeneration": 2}, "Healthy", ""),
    # Once found, looking again does not show: thousands of Applications would flicker.
    ("Warehouse", {"conditions": DISCOVERING, "observedGeneration": 2}, "Healthy", ""),
    # What was found for another spec does not count.
    ("Warehouse", {"conditions": DISCOVERING, "observedGeneration": 1}, "Progressing", "Discovering artifacts"),
    (
        "Warehouse",
        {"conditions": [condition("Healthy", "True", generation=1)], "observedGeneration": 1},
        "Progressing",
        "Waiting for Kargo",
    ),
    (
        "Warehouse",
        {
            "conditions": [
                condition("Reconciling", "True", "ScheduledDiscovery", "Discovering"),
                condition("Healthy", "False", "DiscoveryFailed", "Unable to discover artifacts: 401"),
            ],
            "observedGeneration": 2,
        },
        "Degraded",
        "Unable to discover artifacts: 401",
    ),
    ("Stage", None, "Progressing", "Waiting for Kargo"),
    (
        "Stage",
        {"conditions": [condition("Ready", "False", "NoFreight", "Stage has no current Freight")]},
        "Healthy",
        "no current Freight",
    ),
    ("Stage", {"conditions": [condition("Ready", "False", "ActivePromotion", "Promoting")]}, "Healthy", "Promoting"),
    (
        "Stage",
        {"conditions": [condition("Ready", "False", "LastPromotionErrored", "step 3 failed")]},
        "Healthy",
        "step 3 failed",
    ),
    ("Stage", {"conditions": [condition("Ready", "False", "LastPromotionFailed", "no")]}, "Healthy", "no"),
    ("Stage", {"conditions": [condition("Ready", "False", "Unhealthy", "Stage is unhealthy")]}, "Healthy", "unhealthy"),
    ("Stage", {"conditions": [condition("Ready", "False", "VerificationFailed", "no")]}, "Healthy", "no"),
    (
        "Stage",
        {"conditions": [condition("Ready", "False", "ReconcileError", "cannot list")]},
        "Degraded",
        "cannot list",
    ),
    # A control flow Stage.
    ("Stage", {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]}, "Healthy", ""),
    ("Stage", {"conditions": [condition("Ready", "False", "FreightRetrievalFailed", "no")]}, "Degraded", "no"),
]


@needs_argocd
def test_health(appset: Run, tmp_path: Path) -> None:
    config = tmp_path / "argocd-cm.yaml"
    config.write_text(argocd_files.manifests(FLEET, {})["argocd/patches/argocd-cm.yaml"])
    files = []
    for number, (kind, status, _, _) in enumerate(HEALTH):
        manifest = {"apiVersion": "kargo.akuity.io/v1alpha1", "kind": kind, "metadata": {"name": "x", "generation": 2}}
        files.append(tmp_path / f"{number:02}.yaml")
        files[-1].write_text(json.dumps({**manifest, **({"status": status} if status is not None else {})}))
    verdicts = appset("health", "-config", config, *files)[0]
    wrong = [
        (sample, verdict["status"], verdict["message"])
        for sample, verdict in zip(HEALTH, verdicts, strict=True)
        if verdict["status"] != sample[2] or sample[3] not in verdict["message"]
    ]
    assert wrong == []


@needs_argocd
def test_health_of_nothing_else(appset: Run, tmp_path: Path) -> None:
    config, other = tmp_path / "argocd-cm.yaml", tmp_path / "freight.yaml"
    config.write_text(argocd_files.manifests(FLEET, {})["argocd/patches/argocd-cm.yaml"])
    other.write_text(
        json.dumps({"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Freight", "metadata": {"name": "x"}})
    )
    assert appset("health", "-config", config, other)[0][0]["status"] == ""
