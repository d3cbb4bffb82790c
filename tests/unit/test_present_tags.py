"""The tags that values files hold are taken by the Warehouse, or a warning says why not and what would take them."""

from __future__ import annotations

from typing import Any

import pytest

from conftest import Run, Tree, service
from kargo_fleet.findings import Position
from kargo_fleet.unit import present_tags
from kargo_fleet.unit.present_tags import Held, Taker, taker_of
from kargo_fleet.unit.promoted_files import Present


def said(tags: dict[str, str], **image: Any) -> list[tuple[str, str, str]]:
    """Return place, message and fix of each warning about the tags of stages."""
    takers = (taker_of({"constraint": "^1.0.0", **image}),)
    held = [Held(stage, f"values-{stage}.yaml", Present(tag, Position(2, 8)), takers) for stage, tag in tags.items()]
    found = present_tags.findings(held, "nginx")
    assert all(finding.code == "KFW402" for finding in found)
    return [(str(finding.place), finding.message, finding.fix) for finding in found]


@pytest.mark.parametrize(
    ("tag", "image"),
    [
        ("1.2.3", {}),
        ("v1.2.3", {}),
        ("1.2.3@sha256:0", {}),
        ("1.10", {"strictSemvers": False}),
        ("2026.03.01", {"strictSemvers": False, "constraint": ">=2026.0.0"}),
        ("1.0.0-rc.1", {"constraint": ">=1.0.0-0"}),
        ("9.9.9", {"constraint": ""}),
        ("9.9.9", {"constraint": None}),
        ("main-3f9c2ab", {"imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": ["^main-"]}),
        ("anything", {"imageSelectionStrategy": "Lexical"}),
        ("latest", {"imageSelectionStrategy": "Digest", "constraint": "latest"}),
        ("latest", {"imageSelectionStrategy": "Digest", "constraint": "latest", "ignoreTagsRegexes": ["."]}),
        # Nothing runs yet.
        ("", {}),
        ("0.0.0", {}),
        ("TODO", {}),
        ("change-me", {}),
        ("<version>", {}),
    ],
)
def test_a_tag_that_the_warehouse_takes(tag: str, image: dict[str, Any]) -> None:
    assert said({"dev": tag}, **image) == []


@pytest.mark.parametrize(
    ("tag", "image", "why", "fix"),
    [
        ("0.4.2", {}, 'image.constraint is "^1.0.0"', 'constraint: ">=0.4.0 <1.0.0"'),
        ("3.1.0", {}, 'image.constraint is "^1.0.0"', 'constraint: "^3.0.0"'),
        ("1.2.3-rc.1", {}, 'image.constraint is "^1.0.0"', 'constraint: "^1.0.0-0"'),
        ("1.10", {}, "image.strictSemvers requires", "{strictSemvers: false}"),
        ("2026.03.01", {}, "image.strictSemvers requires", 'strictSemvers: false, constraint: ">=2026.0.0"'),
        ("2026.03.01", {"constraint": ">=2026.0.0"}, "image.strictSemvers requires", "{strictSemvers: false}"),
        ("2026.3.1", {}, 'image.constraint is "^1.0.0"', 'constraint: ">=2026.0.0"'),
        ("main-3f9c2ab", {}, "it is not a semantic version", "NewestBuild, allowTagsRegexes: ['^main-']"),
        ("3f9c2ab", {}, "it is not a semantic version", "NewestBuild, allowTagsRegexes: ['^[0-9a-f]{7,40}$']"),
        ("release.7", {}, "it is not a semantic version", "allowTagsRegexes: ['^release[.]']"),
        ("latest", {}, "it is not a semantic version", "imageSelectionStrategy: Digest, constraint: latest"),
        (
            "1.2.3",
            {"imageSelectionStrategy": "Digest", "constraint": "latest"},
            "image.constraint is latest",
            "constraint: 1.2.3",
        ),
        ("1.2.3", {"allowTagsRegexes": ["^main-"]}, "image.allowTagsRegexes has only ^main-", "['^v?[0-9]']"),
        ("1.2.3", {"ignoreTagsRegexes": ["rc", "^1"]}, "image.ignoreTagsRegexes[1] is ^1", "ignoreTagsRegexes: ['rc']"),
        (
            "web-1",
            {"imageSelectionStrategy": "Lexical", "allowTagsRegexes": ["^api-", "^v"]},
            "image.allowTagsRegexes has only ^api- and ^v",
            "allowTagsRegexes: ['^web-']",
        ),
    ],
)
def test_a_tag_that_it_never_takes(tag: str, image: dict[str, Any], why: str, fix: str) -> None:
    ((place, message, proposed),) = said({"dev": tag, "prod": tag}, **image)
    assert place == "values-dev.yaml:2:8"
    assert f"the Warehouse would never take {tag}, the present tag of dev and prod: {why}" in message
    assert fix in proposed


def test_there_is_always_a_fix() -> None:
    takers = [
        taker_of({"constraint": "^1.0.0"}),
        taker_of({"imageSelectionStrategy": "Digest", "constraint": "latest"}),
        taker_of({"imageSelectionStrategy": "Lexical", "allowTagsRegexes": ["^v"]}),
        Taker("SemVer", "", True, (), ("^1",)),
    ]
    tags = "0.4.2 1.10 2026.03.01 main-3f9c2ab 3f9c2ab latest 1.2.3-rc.1 1.2.3 20260301 a_b x".split()
    for taker in takers:
        for tag in tags:
            assert present_tags.takes(taker, tag) or "image" in present_tags.fix(taker, tag)


def test_a_stage_that_waits_for_its_first_promotion_is_none() -> None:
    assert said({"dev": "1.2.0", "prod": "0.9.0"}) == []
    ((place, _, _),) = said({"dev": "1.2.0", "prod": "2.0.0"})  # which a promotion would take back
    assert place == "values-prod.yaml:2:8"
    ((place, _, _),) = said({"dev": "1.2.0", "prod": "main-1"})
    assert place == "values-prod.yaml:2:8"


@pytest.mark.parametrize(
    "value", ["registry.example.com/web:1.0.0", "web:1.0.0", "org/web", "x/web@sha256:0", "a.b:5000/c"]
)
def test_a_key_that_holds_a_whole_image(value: str) -> None:
    for digest in (False, True):
        problem = present_tags.whole_image("a.image", Present(value, Position(1, 2)), digest=digest)
        assert problem is not None
        assert problem.code == "KF403"
        assert f"a.image holds a whole image ({value})" in problem.message
        assert "keys: {a.image: image}" in problem.fix


@pytest.mark.parametrize("value", ["1.0.0", "", "latest", "1.0.0@sha256:0"])
def test_a_key_that_holds_a_tag(value: str) -> None:
    assert present_tags.whole_image("image.tag", Present(value, Position(1, 2))) is None


def test_a_digest() -> None:
    digest = Present("sha256:" + "0" * 64, Position(1, 2))
    assert present_tags.whole_image("image.digest", digest, digest=True) is None
    problem = present_tags.whole_image("image.digest", digest)
    assert problem is not None
    assert "holds a digest" in problem.message


def test_steps_before_the_commit_write_what_no_key_does(tree: Tree, run: Run) -> None:
    step = "{uses: yaml-update, config: {path: './src/${{ vars.path }}', updates: [{key: image, value: x}]}}"
    own = f"promotion:\n  tagKey: ''\n  steps:\n    beforeCommit:\n      - {step}\n"
    tree(
        service(
            "web",
            **{f"values-{stage}": "image: registry.example.com/web:1\n" for stage in ("dev", "staging", "prod")},
            kargo=own,
        )
    )
    assert run("generate").status == 0
