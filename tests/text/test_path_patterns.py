"""Patterns of paths match what Kargo's own code says that they match."""

from __future__ import annotations

from itertools import product

import pytest

from contract.fixtures import Oracle
from kargo_fleet.text.path_patterns import is_glob, matches, meant, selects

PATHS = """
services/api/values-dev.yaml services/api/values-prod.yaml services/api/config/a.yaml services/apix/values-dev.yaml services/api
values-dev.yaml a/b/c/d.yaml services/web/values-dev.yaml services/api/a..b services/api/v.yml [x] services/{a} .github/x.yaml
""".split()
PATTERNS = """
services/api services/api/ ./services/api . services services/api/values-dev.yaml /services/api ../services api
services/a services/../services/api glob:services/api glob:services/*/values-dev.yaml glob:services/** glob:services/api/**
glob:**/values-dev.yaml glob:**/*.yaml glob:** glob:* glob:services/api/values-*.yaml glob:services/api/values-{dev,prod}.yaml
glob:services/ap?/values-dev.yaml glob:services/[aw]*/values-dev.yaml glob:services/[!a]*/values-dev.yaml glob:*.yaml
glob:services/a**/values-dev.yaml glob:a/**/d.yaml glob:a/**/c/* glob:a/** glob:services/[^a]*/** glob:\\[x\\] glob:services/\\{a\\}
glob:{a,services}/** glob:{services/api,a}/**/*.yaml glob:[ glob:services/{a glob:.github/* regex:^services/api/
regexp:values-(dev|prod)
regex:yaml$ regex:( glob:services/[a-w]*/values-dev.yaml glob:services/api/**/a.yaml glob:services/api/**/values-dev.yaml
""".split()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_matches_what_kargo_matches(oracle: Oracle, pattern: str) -> None:
    (said,) = oracle("path-pattern", [{"pattern": pattern, "paths": PATHS}])
    expected = [False] * len(PATHS) if "error" in said else said["matches"]
    assert [matches(pattern, path) for path in PATHS] == expected


def test_a_path_is_selected_if_it_is_included_and_not_excluded() -> None:
    found = [
        selects(include, exclude, "services/api/values-dev.yaml")
        for include, exclude in product([[], ["services/api"], ["services/web"]], [[], ["glob:**/values-*.yaml"]])
    ]
    assert found == [True, False, True, False, False, False]


GLOBS = r"""
[ [] [a] [a-z]/* [!] [!a] [^] [^a] []a] [!]a] [[] [[a] a] { } {} {a} {a,b} {{a}} }{ {a}} [{] [}] {[}]} \ \\ a\ \[ [\]] [\] [^\]
\{ {\} ** a**
? ** [a {[a]} [a]{b [] x[ {[]} [!!] [^^] [!^] [-] \\[ [\\] [a]]
""".split()


@pytest.mark.parametrize("glob", ["", *GLOBS])
def test_a_glob_is_valid_where_kargo_says_so(oracle: Oracle, glob: str) -> None:
    (said,) = oracle("path-pattern", [{"pattern": f"glob:{glob}", "paths": []}])
    assert is_glob(glob) == ("error" not in said)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("services/web/**", "glob:services/web/**"),
        ("./services/*/config", "glob:services/*/config"),
        ("/services/v?", "glob:services/v?"),
        ("services/{web,api}", "glob:services/{web,api}"),
        ("Glob:services/*", "glob:services/*"),
        ("GLOB: services", "glob:services"),
        ("Regex:^a", "regex:^a"),
        ("^services/", "regex:^services/"),
        (r".*\.yaml", r"regex:.*\.yaml"),
        (r"values\.yaml$", r"regex:values\.yaml$"),
        *(
            (fine, "")
            for fine in ("services/web", "app/[id]/page.tsx", "a{b}", "glob:**", "regex:x*", "regexp:(", "a:b", "")
        ),
    ],
)
def test_the_pattern_that_was_meant(pattern: str, expected: str) -> None:
    assert meant(pattern) == expected
