"""What counts as a version constraint: in this tool, in the chart, and in the library that Kargo parses them with."""

from __future__ import annotations

import base64
import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import upstream
from contract.fixtures import Oracle
from helm import CHART, render, template
from kargo_fleet.text import yaml_writer
from kargo_fleet.text.semver import excess_groups, is_constraint, parse_version, satisfies
from properties import examples

OPERATORS = ["", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^"]
VERSIONS = "1 1.2 1.2.3 v1.2.3 * x 1.x 1.X.x 1.2.* 0.0.0 1.2.3-rc.1 1.2.3+b.5 1.2-rc".split()
GOOD = [
    *(operator + version for operator, version in product(OPERATORS, VERSIONS)),
    "^1.0.0", ">=1.2.0 <3.0.0", ">= 1.2.0, < 3.0.0", ">=0.0.0-0", "~1.2.0", "^0.0.0", "1 - 2", "1.2 - 1.4.5",
    "1.2.3 - 2.3.4", "01", "1.02", "00", "01.2.03", "1.2.3-beta - 2", "1.0.0 - 2.0.0 || >3", ">1 || <0.5 || 0.7.x",
    "1||2", "1 || 2", "> 1.0", ">\t1", "\t1\n", " 1 ", "1 2 3", "1,2,3", "1, 2 ,3", "1 , 2", ">=1.0.0,<2.0.0",
    "1.2.3-a-b.c", "1.2.3--", "1-2", "1.2.3+001", "1.2.3-0", "1.2.3-0a", "*.*.*", "*.1.2", "x.1", "1.*.3", "=x", "^*",
    "~*", "!=*", "1.2.3-rc+b", "18446744073709551615.0.0", "1.x.x-rc", "*-rc", "v*", "vx", "1.0.0-20261123",
    "1  -  2", "1\t-\n2", "1 - 2, 3 - 4", "1 - 2 3 - 4", "^1.0.0 ~1.2", "0" * 200 + "1",
]  # fmt: skip
BAD = [
    *[operator for operator in OPERATORS if operator],
    "latest", "v", "", " ", "||", "|", "1|2", "1 | 2", "1||", "||1", "1 || || 2", "1 ||| 2", "&&", "1 && 2", "1,",
    ",1", "1,,2", "1;2", "1.2.3.4", "1..2", ".1", "1.", "1.2.", "a", "1.a", "1.2.b", "1x", "x1", "1xx", "1*",
    "1.x2.3", "1.2x", "1.2.x3", "1 - 2 - 3", ">=1 - 2", ">=1<2", "1.2.3 -4", "1.2.3-01", "1.2.3-rc.01", "1.2.3-",
    "1.2.3+", "1.2.3-a..b", "1.2.3-é", "1.2.3_4", "V1", "vv1", "v 1", "1.2.3 rc", "18446744073709551616",
    "1.18446744073709551616", "1.2." + "9" * 30, "9" * 5000, "==1", "><1", ">>1", "<>1", "!1", "=!1", "~~1", "^^1",
    "^ ^1", "~>>1", "> =1", "1 -2 - 3", "1 - ", " - 1", "1 -- 2", "1 - latest", "^1.0.0 - 2.0.0",
    "1.0.0-2.0.0 - latest", "sha256:0", "1:2", "１", "1\u00a02", "1\u20282", "1\v2", "1\x852", "1\0", "☃",
    "1.2.3\u200b", "(1)", "[1,2)", "{1}", '"1"', "'1'", "1 # one", "${{ x }}", "-1", "+1", "1.2.3 <", "> 1.0 <",
    "||^1", "1-", "1-+b", "1+", "*x", "xx", "x*", "**", "|x", "x|",
]  # fmt: skip

# Texts of the parts that matter, in any order.
_parts = st.sampled_from([*OPERATORS, *VERSIONS, *" \t\n,|-.+xX*v0195aé\u00a0\v", "||", " - ", " || ", ", ", "01"])
_texts = st.lists(_parts, max_size=8).map("".join)


def _short(text: str) -> str:
    return repr(text[:20])


def _verdicts(oracle: Oracle, texts: list[str]) -> list[bool]:
    return ["error" not in answer for answer in oracle("constraint", [{"constraint": text} for text in texts])]


def test_the_cases_are_what_they_are_called(oracle: Oracle) -> None:
    assert [text for text, good in zip(GOOD, _verdicts(oracle, GOOD), strict=True) if not good] == []
    assert [text for text, good in zip(BAD, _verdicts(oracle, BAD), strict=True) if good] == []


@pytest.mark.parametrize("text", GOOD, ids=_short)
def test_constraints(text: str) -> None:
    assert is_constraint(text)


@pytest.mark.parametrize("text", BAD, ids=_short)
def test_no_constraints(text: str) -> None:
    assert not is_constraint(text)


@examples(150)
@given(st.lists(_texts | st.text(max_size=5), min_size=10, max_size=40))
def test_any_text_is_judged_as_kargo_judges_it(oracle: Oracle, texts: list[str]) -> None:
    assert [is_constraint(text) for text in texts] == _verdicts(oracle, texts)


@pytest.mark.parametrize(
    "text", ["1   " * 100 + "!", ">=1  ,  " * 100 + "!", " " * 900 + "!", "1." * 999, "1-a" * 99 + "!"]
)
def test_a_text_made_to_take_long_does_not(text: str) -> None:
    assert not is_constraint(text)


@pytest.mark.parametrize(
    ("text", "groups"),
    [("||".join("1" * 32), 0), ("||".join("1" * 33), 33), ("1 - 2 || " * 31 + "3", 0), ("1 - 2 || " * 32 + "3", 33)],
    ids=["32", "33", "32 with ranges", "33 with ranges"],
)
def test_too_many_alternatives(oracle: Oracle, text: str, groups: int) -> None:
    assert is_constraint(text)
    assert excess_groups(text) == groups
    is_limited = upstream.OTHER == "1.11.4"
    assert _verdicts(oracle, [text]) == [not (groups and is_limited)]


# -- What satisfies a constraint ---------------------------------------------------------------------------------------

TAGS = """
0.0.0 0.0.1 0.4.2 1 1.10 01.2 1.2.3 v1.2.3 1.2.3-rc.1 1.2.3-rc.2 1.2.3-rc 1.2.3-1 1.2.3-a.b 1.2.3+b 2.0.0 2.0.0-0 11.1.0
11.1.1 11.2.0 2026.03.01 2026.3.1 2026.03 20260301 main-3f9c2ab 3f9c2ab latest 1.2.3-01 1.2.3.4 V1.2.3 vv1 18446744073709551616
""".split()
_numbers = st.sampled_from(["0", "1", "2", "3", "11", "2026", "01"])
_prereleases = st.sampled_from(
    ["", "", "", "-0", "-rc", "-rc.1", "-rc.10", "-rc.2", "-1", "-a", "-a-b", "-99999999999999999999"]
)
_versions = st.builds(
    lambda numbers, prerelease: ".".join(numbers) + prerelease, st.lists(_numbers, min_size=1, max_size=3), _prereleases
)
_bounds = st.builds(
    lambda operator, numbers, prerelease: operator + ".".join(numbers) + prerelease,
    st.sampled_from(OPERATORS),
    st.lists(_numbers | st.sampled_from(["x", "*"]), min_size=1, max_size=3),
    _prereleases,
)
_constraints = st.lists(st.lists(_bounds, min_size=1, max_size=2).map(" ".join), min_size=1, max_size=2).map(
    " || ".join
) | st.builds("{} - {}".format, _versions, _versions)


@examples(200)
@given(st.lists(_constraints, min_size=5, max_size=20), st.lists(_versions, min_size=5, max_size=20))
def test_a_version_satisfies_a_constraint_as_kargo_says(
    oracle: Oracle, constraints: list[str], versions: list[str]
) -> None:
    parsed = {text: parse_version(text, strict=False) for text in versions}
    known = [text for text, version in parsed.items() if version]
    questions = [{"constraint": text, "versions": known} for text in constraints]
    for question, said in zip(questions, oracle("constraint", questions), strict=True):
        if "error" in said:
            assert not is_constraint(question["constraint"])  # type: ignore[arg-type]
            continue
        found = [satisfies(parsed[text], question["constraint"]) for text in known]  # type: ignore[arg-type]
        assert found == said["matches"], question


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_with_every_gap(oracle: Oracle, operator: str) -> None:
    bounds = "1.2.3 1.2 1 x 1.x 1.2.x 0.0.0 0.0.1 0.0 0 0.4 0.4.2 1.2.3-rc.1 1.2-rc 1-rc *-rc 0.0.0-0".split()
    known = [tag for tag in TAGS if parse_version(tag, strict=False)]
    questions = [{"constraint": operator + bound, "versions": known} for bound in bounds]
    for question, said in zip(questions, oracle("constraint", questions), strict=True):
        found = [satisfies(parse_version(tag, strict=False), question["constraint"]) for tag in known]  # type: ignore[arg-type]
        assert found == said["matches"], question["constraint"]


@examples(50)
@given(st.lists(_versions | st.text("v01.-+ax", max_size=9), min_size=10, max_size=40))
def test_a_tag_is_a_version_if_kargo_takes_it_for_one(oracle: Oracle, texts: list[str]) -> None:
    tags = TAGS + texts
    for tag, said in zip(tags, oracle("version", tags), strict=True):
        found = [parse_version(tag, strict=strict) is not None for strict in (False, True)]
        assert found == [said["loose"], said["strict"]], tag


def test_no_version_satisfies_what_is_no_constraint() -> None:
    version = parse_version("1.0.0", strict=True)
    assert version is not None
    assert not satisfies(version, "latest")


#: The grammar takes this, and then the library cannot make a number of it. The chart's define is only the grammar;
#: templates/validate.yaml asks the library itself afterwards.
TOO_LARGE = "18446744073709551616"

# -- The chart ---------------------------------------------------------------------------------------------------------


def _chart_says(folder: Path, expression: str, texts: list[str]) -> Any:
    """Return what a template makes of each text. `kargo-service.isConstraint` takes nothing else from the chart."""
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: probe, version: 0.1.0}\n")
    (folder / "values.yaml").write_text(json.dumps({"texts": texts}))
    (folder / "templates" / "_validate.tpl").write_text((CHART / "templates" / "_validate.tpl").read_text())
    (folder / "templates" / "probe.yaml").write_text(
        "{{- $said := list }}{{ range .Values.texts }}"
        + ("{{ $said = append $said (" + expression + ") }}{{ end }}\n")
        + "json: {{ toJson $said | b64enc }}\n"
    )
    (printed,) = render("probe", folder)
    return json.loads(base64.b64decode(printed["json"]))


def _is_too_large(number: str) -> bool:
    number = number.lstrip("0")
    return (len(number), number) >= (len(TOO_LARGE), TOO_LARGE)


def test_the_chart_knows_the_grammar(oracle: Oracle, tmp_path: Path) -> None:
    texts = [text for text in GOOD + BAD if text]
    said = _chart_says(tmp_path, 'include "kargo-service.isConstraint" . | eq "true"', texts)
    errors = [answer.get("error") for answer in oracle("constraint", [{"constraint": text} for text in texts])]
    too_large = [any(_is_too_large(number) for number in re.findall("[0-9]+", text)) for text in texts]
    assert said == [error is None or large for error, large in zip(errors, too_large, strict=True)]


def test_the_library_in_helm_takes_them_too(tmp_path: Path) -> None:
    """Kargo v1.11.2 has version 3.4.0 of it, Helm v4.3.1 has 3.5.0, which takes no more than 512 characters."""
    texts = [text for text in GOOD if len(text) <= 512]
    assert len(_chart_says(tmp_path, 'semverCompare . "0.0.0"', texts)) == len(texts)


def test_the_chart_refuses_what_only_the_library_finds(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    image = {"repoURL": "example.com/a", "constraint": TOO_LARGE}
    values.write_text(yaml_writer.document({"image": image, "git": {"repoURL": "https://example.com/a"}}))
    result = template("nginx", CHART, values)
    assert result.returncode != 0
    assert "error calling semverCompare" in result.stderr
