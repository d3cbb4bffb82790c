"""The tool and the chart say the same about values that span keys, in the same words."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from helm import CHART, template
from kargo_fleet.fleet.chart import Chart, read_chart
from kargo_fleet.fleet.merge import merge
from kargo_fleet.fleet.pipeline import pipeline_of, pipeline_order
from kargo_fleet.text import yaml_writer
from kargo_fleet.unit import rules, step_lists

MINIMAL: dict[str, Any] = {
    "service": {"name": "nginx"},
    "image": {"repoURL": "registry.example.com/nginx"},
    "git": {"repoURL": "https://github.com/example/gitops.git"},
}

CASES: dict[str, dict[str, Any]] = {
    "sound": {},
    "reserved name": {"service": {"name": "shared-resources"}},
    "a Project of another name": {"project": {"name": "acme-<service>"}},
    "a Project with the default name": {"project": {"name": ""}},
    "a Project without a name": {"project": None},
    "a Project's name that is too long": {"project": {"name": f"{'a' * 60}-<service>"}},
    "a Project in Kargo's namespace": {"project": {"name": "kargo-shared-resources"}},
    "a Project in a namespace of Kubernetes": {"project": {"name": "kube-<service>"}},
    "no image": {"image": {"repoURL": None}},
    "no repository": {"git": {"repoURL": None}},
    "no repository needed": {
        "git": {"repoURL": None},
        "promotion": {"steps": {"replace": [{"uses": "http"}]}},
    },
    "bad constraint": {"image": {"constraint": "latest"}},
    "quoted constraint": {"image": {"constraint": 'a"b\\c'}},
    "as many alternatives as Kargo accepts": {"image": {"constraint": " || ".join(["1.x"] * 32)}},
    "more alternatives than Kargo accepts": {
        "image": {"constraint": "||".join(["1.x"] * 33)},
        "warehouse": {"subscriptions": [{"git": {"repoURL": "https://x/y", "semverConstraint": "||".join("1" * 99)}}]},
    },
    "a long tag to follow": {"image": {"imageSelectionStrategy": "Digest", "constraint": "a" * 128}},
    "no constraint": {"image": {"constraint": ""}},
    "digest without a tag": {"image": {"imageSelectionStrategy": "Digest"}},
    "digest without anything": {"image": {"imageSelectionStrategy": "Digest", "constraint": None}},
    "digest": {"image": {"imageSelectionStrategy": "Digest", "constraint": "latest"}},
    "lexical ignores the constraint": {"image": {"imageSelectionStrategy": "Lexical", "constraint": "latest"}},
    "bad regexes": {"image": {"allowTagsRegexes": ["(?=x)", "a)|(b", "x"], "ignoreTagsRegexes": ["[", "*a", "a\\"]}},
    "good regexes": {"image": {"allowTagsRegexes": ["(?i)^v[0-9]+$", r"\pL", r"\Qabc"]}},
    "own image twice": {
        "warehouse": {
            "subscriptions": [{"git": {"repoURL": "https://x/y"}}, {"image": {"repoURL": "registry.example.com/nginx"}}]
        }
    },
    "claims of nobody": {"rbac": {"bindings": {"x": {"role": "viewer", "claims": {"groups": None, "sub": None}}}}},
    "expressions that do not end": {
        "promotion": {"message": "${{ 1 }} ${{ 2", "pullRequest": {"enabled": True, "title": "${{\n"}},
        "stages": {"prod": {"promotion": {"message": "${{ 1\n}} {{ }}", "pullRequest": {"title": "}} x"}}}},
    },
    "two receivers of one name": {
        "projectConfig": {
            "webhookReceivers": [
                {"name": "ci", "github": {"secretRef": {"name": "a"}}},
                {"name": "hub", "dockerhub": {"secretRef": {"name": "a"}}},
                {"name": "ci", "gitlab": {"secretRef": {"name": "b"}}},
            ]
        }
    },
    "a Git URL that Kargo does not subscribe to": {
        "git": {"repoURL": "https://[::1]/y"},
        "warehouses": {"config": {"git": {}}, "others": {"subscriptions": [{"git": {"repoURL": "git@host:a"}}]}},
        "stages": {
            "dev": {
                "requestedFreight": {"main": {"direct": True}, "config": {"direct": True}, "others": {"direct": True}}
            }
        },
    },
    "bad constraints of others": {
        "warehouse": {
            "subscriptions": [
                {"image": {"repoURL": "registry.example.com/other", "constraint": "x y"}},
                {"chart": {"repoURL": "oci://registry.example.com/c", "semverConstraint": "latest"}},
                {"git": {"repoURL": "https://x/y", "semverConstraint": "main"}},
                {
                    "image": {
                        "repoURL": "registry.example.com/third",
                        "constraint": "latest",
                        "imageSelectionStrategy": "Digest",
                    }
                },
            ]
        }
    },
    "no metrics": {"analysisTemplates": {"smoke": {"args": [{"name": "x"}]}, "none": {"metrics": None}}},
    "a metric twice": {
        "analysisTemplates": {
            "smoke": {
                "metrics": [
                    {"name": "health", "provider": {"web": {"url": "https://x"}}},
                    {"name": "health", "provider": {"graphite": {}}},
                ]
            }
        }
    },
    "tasks": {
        "promotionTasks": {
            "empty": {"vars": {"x": "y"}},
            "steps": {
                "steps": [
                    {"uses": "htpp", "as": "step-1"},
                    {"task": {"name": "empty"}},
                    {"uses": "tar", "as": "a"},
                    {"uses": "http", "as": "a", "config": {"bodyFromFile": "x"}},
                ]
            },
        }
    },
    "a custom step in a task": {
        "promotion": {"customSteps": ["mine"]},
        "promotionTasks": {"t": {"vars": [{"name": "x"}], "steps": [{"uses": "mine"}]}},
    },
    "variables of tasks": {
        "promotionTasks": {
            "map": {
                "vars": {"needed": "", "z": "", "default": "x", "service": "", "own": ""},
                "steps": [{"uses": "http"}],
            },
            "list": {"vars": [{"name": "z"}, {"name": "a", "value": ""}], "steps": [{"uses": "http"}]},
        },
        "promotion": {"task": {"name": "map", "vars": {"z": "1"}}, "steps": {"after": [{"task": {"name": "list"}}]}},
        "stages": {
            "dev": {"vars": {"own": "x"}},
            "staging": {"promotion": {"task": {"kind": "ClusterPromotionTask"}}},
            "gate": {"upstream": ["staging"], "controlFlow": True},
            "prod": {
                "promotion": {
                    "task": {"name": ""},
                    "steps": {
                        "replace": [{"task": {"name": "map"}, "vars": {"needed": "x"}}, {"task": {"name": "no"}}]
                    },
                }
            },
        },
    },
    "extra objects": {
        "extraObjects": {
            "a": {"apiVersion": "v1", "kind": "Secret"},
            "b": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "other", "name": "c"}},
            "c": {"apiVersion": "v1", "kind": "ConfigMap"},
            "d": {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"},
            "e": {"apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage"},
            "f": {"spec": {}},
        }
    },
    "extra objects that are fine": {
        "extraObjects": {
            "a": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "kargo-<service>"}},
            "b": {"apiVersion": "example.com/v1", "kind": "Stage", "metadata": {"name": "a"}},
        }
    },
    "no stages": {"stages": {"dev": None, "staging": None, "prod": None}},
    "stage taken out": {"stages": {"staging": None}},
    "unknown upstream": {"stages": {"prod": {"upstream": ["staging", "stagin"]}}},
    "own upstream": {"stages": {"staging": {"upstream": ["dev", "staging"]}}},
    "cycle": {"stages": {"dev": {"upstream": ["prod"]}}},
    "cycle beside the pipeline": {
        "stages": {"a": {"upstream": ["b"]}, "b": {"upstream": ["a", "dev"]}, "c": {"upstream": ["b"]}}
    },
    "one file from two stages": {"promotion": {"updates": {"x": {"yaml": {"path": "all.yaml", "keys": {"a": "tag"}}}}}},
    "one file from a stage's update and another's own": {
        "stages": {
            "prod": {
                "promotion": {
                    "updates": {"x": {"yaml": {"path": "services/<service>/values-dev.yaml", "keys": {"a": "tag"}}}}
                }
            }
        }
    },
    "updates alone": {"promotion": {"tagKey": "", "updates": {"x": {"kustomize": {"path": "overlays/<stage>"}}}}},
    "no updates": {"promotion": {"tagKey": "", "updates": {"x": None}}},
    "a dependency of no chart": {"promotion": {"updates": {"x": {"helmDependency": {"path": "charts/<stage>"}}}}},
    "a dependency that is not said": {
        "promotion": {
            "updates": {"x": {"helmDependency": {"path": "charts/<stage>", "version": "${{ chartFrom('a').Version }}"}}}
        }
    },
    "one Chart.yaml from two stages": {
        "promotion": {"updates": {"x": {"helmDependency": {"path": "charts/app"}}}},
        "warehouse": {"subscriptions": [{"chart": {"repoURL": "oci://registry.example.com/charts/redis"}}]},
    },
    "a dependency": {
        "promotion": {"updates": {"x": {"helmDependency": {"path": "charts/<stage>"}}}},
        "warehouse": {"subscriptions": [{"chart": {"repoURL": "oci://registry.example.com/charts/redis"}}]},
    },
    "rendered": {"promotion": {"render": {"helm": {"path": "charts/app", "setValues": {"a": "image"}}}}},
    "rendered with Kustomize": {"promotion": {"render": {"kustomize": {"path": "overlays/<stage>"}}}},
    "rendered by two": {"promotion": {"render": {"helm": {"path": "a"}, "kustomize": {"path": "a"}}}},
    "rendered from nowhere": {"promotion": {"render": {"helm": {}}}},
    "rendered from no kustomization": {"promotion": {"render": {"kustomize": {"name": "a"}}}},
    "rendered onto the branch of the sources": {"promotion": {"render": {"helm": {"path": "a"}, "branch": "main"}}},
    "rendered onto one branch": {"promotion": {"render": {"helm": {"path": "a"}, "branch": "rendered"}}},
    "rendered into folders of one branch": {
        "promotion": {"render": {"helm": {"path": "a"}, "branch": "rendered", "outPath": "<service>/<stage>"}}
    },
    "rendered into a folder and into one in it": {
        "promotion": {"render": {"helm": {"path": "a"}, "branch": "rendered"}},
        "stages": {
            "dev": {"promotion": {"render": {"outPath": "a/b/c"}}},
            "staging": {"promotion": {"render": {"outPath": "a/b"}}},
            "prod": {"promotion": {"render": {"outPath": "a/b-c.yaml"}}},
        },
    },
    "rendered onto a whole branch that another stage writes to": {
        "stages": {
            "dev": {"branch": "env", "promotion": {"path": "a.yaml"}},
            "prod": {"promotion": {"render": {"helm": {"path": "a"}, "branch": "env", "outPath": "."}}},
        }
    },
    "rendered without Freight": {"promotion": {"tagKey": "", "render": {"helm": {"path": "a"}}}},
    "rendered with Kustomize without Freight": {"promotion": {"tagKey": "", "render": {"kustomize": {"path": "a"}}}},
    "rendered with a digest": {
        "promotion": {"tagKey": "", "digestKey": "a.b", "render": {"kustomize": {"path": "a"}}},
    },
    "rendered with an update": {
        "promotion": {
            "tagKey": "",
            "render": {"helm": {"path": "a"}},
            "updates": {"a": {"yaml": {"path": "all.yaml", "keys": {"a": "tag"}}}},
        },
    },
    "rendered from the commit of the Freight": {
        "promotion": {"tagKey": "", "render": {"helm": {"path": "a"}}},
        "warehouse": {"subscriptions": [{"git": {"repoURL": "https://github.com/example/gitops"}}]},
    },
    "rendered with what the stage does not get": {
        "promotion": {
            "render": {
                "helm": {"path": "a", "setValues": {"a": "chartVersion", "b": "commitID", "c": None, "d": "tag"}}
            }
        },
        "stages": {"dev": {"requestedFreight": {"config": {"direct": True}}}, "staging": {"upstream": None}},
        "warehouses": {"config": {"git": {"repoURL": "https://github.com/example/other.git"}}},
    },
    "an alias of rendering": {
        "promotion": {
            "render": {"kustomize": {"path": "overlays/<stage>"}},
            "steps": {"before": [{"uses": "http", "as": "render"}]},
        }
    },
    "no rendering beside a task": {"promotion": {"render": {"helm": {}}, "task": {"name": "t"}}},
    "a branch without rendering": {"promotion": {"render": {"branch": "main"}}},
    "an alias of an update": {
        "promotion": {
            "updates": {"x": {"kustomize": {"path": "overlays/<stage>"}}},
            "steps": {"before": [{"uses": "http", "as": "update-x"}]},
        }
    },
    "a gate writes no file": {
        "promotion": {"path": "services/<service>/values.yaml"},
        "stages": {"staging": {"controlFlow": True}, "prod": {"promotion": {"steps": {"replace": []}}}},
    },
    "gates alone need no repository": {
        "git": {"repoURL": None},
        "stages": {name: {"controlFlow": True} for name in ("dev", "staging", "prod")},
    },
    "direct": {"stages": {"prod": {"direct": True}}},
    "match upstream": {"stages": {"prod": {"selectionPolicy": "MatchUpstream"}}},
    "match two upstreams": {"stages": {"prod": {"selectionPolicy": "MatchUpstream", "upstream": ["dev", "staging"]}}},
    "match no upstream": {"stages": {"dev": {"selectionPolicy": "MatchUpstream"}}},
    "match upstream and direct": {"stages": {"prod": {"selectionPolicy": "MatchUpstream", "direct": True}}},
    "same file": {"promotion": {"path": "services/<service>/values.yaml"}},
    "same file on other branches": {
        "promotion": {"path": "values/<service>.yaml"},
        "stages": {"staging": {"branch": "staging"}, "prod": {"branch": "prod"}},
    },
    "same file by one stage": {"stages": {"prod": {"promotion": {"path": "services/<service>/values-dev.yaml"}}}},
    "writes nothing": {"promotion": {"tagKey": ""}},
    "writes a digest": {"promotion": {"tagKey": "", "digestKey": "image.digest"}},
    "reserved variable": {"stages": {"dev": {"vars": {"branch": "x", "mine": "y"}}}},
    "author without address": {"git": {"author": {"name": "kargo"}}},
    "address without author": {"git": {"author": {"email": "kargo@example.com"}}},
    "replace and task": {"promotion": {"steps": {"replace": [{"uses": "http"}]}, "task": {"name": "t"}}},
    "unknown step": {"promotion": {"steps": {"before": [{"uses": "git-clonee"}], "after": [{"uses": "mine"}]}}},
    "custom step": {"promotion": {"steps": {"after": [{"uses": "mine"}]}, "customSteps": ["mine"]}},
    "unknown step in one stage": {"stages": {"prod": {"promotion": {"steps": {"beforeCommit": [{"uses": "yq"}]}}}}},
    "aliases": {
        "promotion": {
            "steps": {
                "before": [
                    {"uses": "http", "as": "commit"},
                    {"uses": "http", "as": "step-1"},
                    {"uses": "http", "as": "x"},
                ],
                "after": [{"uses": "http", "as": "x"}, {"uses": "http", "as": "wait-for-pr"}],
            }
        }
    },
    "aliases of a pull request": {
        "promotion": {"pullRequest": {"enabled": True}, "steps": {"after": [{"uses": "http", "as": "wait-for-pr"}]}}
    },
    "aliases of a merged pull request": {
        "promotion": {
            "pullRequest": {"enabled": True, "merge": True},
            "steps": {"after": [{"uses": "http", "as": "merge-pr"}]},
        }
    },
    "aliases beside a task": {
        "promotion": {"task": {"name": "t"}, "steps": {"after": [{"uses": "http", "as": "commit"}]}}
    },
    "a task is not configured here": {
        "promotion": {
            "steps": {
                "after": [
                    {"task": {"name": "t"}, "if": "${{ always() }}", "config": {"x": "y"}},
                    {"task": {"name": "t"}, "as": "fine", "vars": {"x": "y"}},
                ]
            }
        }
    },
    "pull request by SSH": {
        "git": {"repoURL": "git@github.com:example/gitops.git"},
        "promotion": {"pullRequest": {"enabled": True}},
    },
    "pull request at an unknown host": {
        "git": {"repoURL": "https://git.example.com/gitops.git"},
        "stages": {"prod": {"promotion": {"pullRequest": {"enabled": True}}}},
    },
    "pull request at a host with a name": {
        "git": {"repoURL": "https://git.example.com/gitops.git"},
        "promotion": {"pullRequest": {"enabled": True, "provider": "gitea"}},
    },
    **{
        f"pull request, {provider} at {url}, {method}": {
            "git": {"repoURL": url},
            "promotion": {"pullRequest": {"enabled": True, "merge": True, "provider": provider, "mergeMethod": method}},
        }
        for provider, url, method in [
            ("", "https://bitbucket.example.com/scm/a/b.git", ""),
            ("bitbucket", "https://git.example.com:8443/scm/a/b.git", "squash"),
            ("bitbucket", "https://bitbucket.org/a/b", "merge"),
            ("", "https://bitbucket.org/a/b", "merge_commit"),
            ("azure", "https://tfs.example.com/tfs/C/P/_git/r", ""),
            ("", "https://git.example.com/C/P/_git/r", ""),
            ("", "https://dev.azure.com/o/p/_git/r", "noFastForward"),
            ("", "https://o.visualstudio.com/p/_git/r", "merge"),
            ("gitlab", "https://github.com/a/b", ""),
            ("", "https://github.com/a/b", "Squash"),
            ("", "https://git.ghe.com/a/b", "rebase"),
            ("", "https://gitlab.example.com/a/b", "rebase"),
            ("gitea", "https://codeberg.org/a/b", "fast-forward"),
            ("gitea", "https://codeberg.org/a/b", "${{ vars.method }}"),
        ]
    },
    **{
        f"{kind} title {title[:20]!r}, {provider}, merge {merge}": {
            "git": {"repoURL": "https://git.example.com/a/b"},
            "promotion": {"pullRequest": {"enabled": True, "provider": provider, "merge": merge, "title": title}},
        }
        for kind, provider, merge, title in [
            ("bad", "gitlab", True, "Draft: <service> <version>"),
            ("bad", "gitlab", True, "[DRAFT] x"),
            ("bad", "gitlab", True, "(draft)x"),
            ("fitting", "gitlab", True, "draft of <service>"),
            ("fitting", "gitlab", False, "Draft: <service>"),
            ("bad", "gitea", True, "[wip] <service>"),
            ("bad", "gitea", True, "WIP: <service>"),
            ("fitting", "gitea", True, "draft: <service>"),
            ("fitting", "github", True, "Draft: <service>"),
            ("bad", "gitlab", False, "é" * 256),
            ("bad", "gitlab", True, "draft:<service>" + "x" * 300),
            ("fitting", "gitlab", False, "é" * 255 + "<version>${{ vars.x\n}}"),
            ("fitting", "github", False, "x" * 300),
        ]
    },
    "labels of a shard": {
        "commonLabels": {"kargo.akuity.io/shard": "a"},
        "warehouse": {"labels": {"kargo.akuity.io/shard": "a", "x": "y"}},
        "stages": {"prod": {"labels": {"kargo.akuity.io/shard": "b"}}, "staging": None},
    },
    "key without an author": {"git": {"author": {"signingKey": "${{ secret('gpg').key }}"}}},
    "key of an author": {
        "git": {"author": {"name": "kargo", "email": "kargo@example.com", "signingKey": "${{ secret('gpg').key }}"}}
    },
    "further folders": {"git": {"sparse": ["clusters/<service>/<stage>", "x"]}},
    "writes with a step": {"promotion": {"tagKey": "", "steps": {"beforeCommit": [{"uses": "yaml-update"}]}}},
    "names of charts": {
        "warehouse": {
            "subscriptions": [
                {"chart": {"repoURL": "oci://registry.example.com/charts/c", "name": "c"}},
                {"chart": {"repoURL": "https://charts.example.com"}},
                {"chart": {"repoURL": "https://charts.example.com", "name": "c"}},
            ]
        }
    },
    "bindings": {
        "rbac": {
            "bindings": {
                "a": {"role": "admin"},
                "b": {"groups": ["x"]},
                "c": {"role": "admin", "roleRef": {"kind": "Role", "name": "r"}, "users": ["u"]},
                "d": {"role": "admin", "stages": ["dev"], "groups": ["x"]},
                "e": {"role": "promoter", "stages": ["dev", "qa"], "claims": {"groups": "x"}},
                "f": {"roleRef": {"kind": "ClusterRole", "name": "view"}, "serviceAccounts": [{"name": "ci"}]},
            }
        }
    },
}


@pytest.fixture(scope="module")
def chart() -> Chart:
    return read_chart(CHART.parents[1], None)


def said_by_chart(values: dict[str, Any], tmp_path: Path) -> list[str]:
    (tmp_path / "values.yaml").write_text(yaml_writer.document(values))
    result = template("nginx", CHART, tmp_path / "values.yaml")
    if result.returncode == 0:
        return []
    assert "these values cannot work:" in result.stderr, result.stderr
    return [line[2:] for line in result.stderr.splitlines() if line.startswith("  ")]


def said_by_tool(values: dict[str, Any], chart: Chart) -> list[str]:
    merged = merge(chart.defaults, values)
    assert chart.validator.problems(merged) == []
    return [problem.message for problem in rules.problems(pipeline_of(merged))]


@pytest.mark.parametrize("name", CASES)
def test_same_words(name: str, chart: Chart, tmp_path: Path) -> None:
    values = _over(MINIMAL, CASES[name])
    assert said_by_tool(values, chart) == said_by_chart(values, tmp_path)


def test_the_cases_break_every_rule(chart: Chart) -> None:
    sound = {
        "sound",
        "no repository needed",
        "no constraint",
        "digest",
        "lexical ignores the constraint",
        "good regexes",
    }
    sound |= {
        "as many alternatives as Kargo accepts",
        "a long tag to follow",
        "stage taken out",
        "direct",
        "match upstream",
        "same file on other branches",
        "writes a digest",
        "custom step",
        "a gate writes no file",
        "updates alone",
        "a dependency",
        "rendered",
        "rendered with Kustomize",
        "rendered into folders of one branch",
        "rendered with a digest",
        "rendered with an update",
        "rendered from the commit of the Freight",
        "no rendering beside a task",
        "a branch without rendering",
        "gates alone need no repository",
    }
    sound |= {"a custom step in a task", "extra objects that are fine"}
    sound |= {"a Project of another name", "a Project with the default name", "a Project without a name"}
    sound |= {"aliases beside a task", "pull request at a host with a name"}
    sound |= {name for name in CASES if name.startswith("fitting title")}
    sound |= {"key of an author", "further folders", "writes with a step"}
    sound |= {
        f"pull request, {fitting}"
        for fitting in (
            " at https://bitbucket.org/a/b, merge_commit",
            " at https://dev.azure.com/o/p/_git/r, noFastForward",
            " at https://git.ghe.com/a/b, rebase",
            "gitea at https://codeberg.org/a/b, ${{ vars.method }}",
        )
    }
    broken = {name for name, case in CASES.items() if said_by_tool(_over(MINIMAL, case), chart)}
    assert broken == set(CASES) - sound | {"stage taken out"}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_problem_has_a_fix(case: dict[str, Any], chart: Chart) -> None:
    problems = rules.problems(pipeline_of(merge(chart.defaults, _over(MINIMAL, case))))
    assert [problem for problem in problems if "…" in problem.fix] == []
    completed = r"is not a stage of this service|^(image|git)\.repoURL: is required"  # by unit/build.py
    assert [problem for problem in problems if not (problem.fix or re.search(completed, problem.message))] == []


TWO_HOSTS = {
    "stages": {"prod": {"git": {"repoURL": "https://git.example.com/a/prod.git"}}},
    "promotion": {"pullRequest": {"enabled": True}},
}


@pytest.mark.parametrize(
    ("case", "fix"),
    [
        (TWO_HOSTS, "name what runs on that host, such as stages.prod.promotion.pullRequest.provider: gitlab"),
        (
            {"git": {"repoURL": "https://git.example.com/a.git"}, "promotion": TWO_HOSTS["promotion"]},
            "name what runs on that host, such as promotion.pullRequest.provider: gitlab",
        ),
        (
            {**TWO_HOSTS, "stages": {"prod": {"git": {"repoURL": "https://bitbucket.example.com/a.git"}}}},
            "set stages.prod.promotion.pullRequest.enabled: false",
        ),
        (
            {**TWO_HOSTS, "stages": {"prod": {"git": {"repoURL": "git@git.example.com:a/prod.git"}}}},
            "set stages.prod.git.repoURL: https://git.example.com/a/prod.git",
        ),
        (
            {
                "promotion": {"pullRequest": {"enabled": True, "provider": "github"}},
                "stages": {"prod": {"git": {"repoURL": "https://gitlab.com/a/prod.git"}}},
            },
            "set stages.prod.promotion.pullRequest.provider: gitlab",
        ),
        (
            {"stages": {"prod": {"promotion": {"updates": {"a": {"yaml": {"keys": {"image.tag": "tag"}}}}}}}},
            'remove it, or set stages.prod.promotion.tagKey: "" if that writes it, too',
        ),
        (
            {"promotion": {"updates": {"a": {"yaml": {"keys": {"image.tag": "tag"}}}}}},
            'remove it, or set promotion.tagKey: "" if that writes it, too',
        ),
        (
            {
                "warehouses": {"c": {"chart": {"repoURL": "oci://x.example.com/c"}}},
                "stages": {"dev": {"requestedFreight": {"c": {}}}},
            },
            "set stages: {dev: {promotion: {updates: {version: {yaml: {keys: {version: chartVersion}}}}}}}",
        ),
        (
            {
                "warehouse": {
                    "subscriptions": [
                        {"image": {"repoURL": "registry.example.com/nginx", "imageSelectionStrategy": "Lexical"}}
                    ]
                }
            },
            (
                "remove this subscription, or give it a Warehouse of its own:"
                " warehouses: {builds: {image: {imageSelectionStrategy: Lexical}}}"
            ),
        ),
    ],
)
def test_the_fix_is_for_the_stage_where_the_fault_is(case: dict[str, Any], fix: str, chart: Chart) -> None:
    problems = rules.problems(pipeline_of(merge(chart.defaults, _over(MINIMAL, case))))
    assert fix in [problem.fix for problem in problems]


@pytest.mark.parametrize("seed", range(40))
def test_random_pipelines(seed: int, chart: Chart, tmp_path: Path) -> None:
    dice = random.Random(seed)
    names = ["a", "b", "c", "d", "e"][: dice.randint(1, 5)]
    stages: dict[str, Any] = {"dev": None, "staging": None, "prod": None}
    for name in names:
        upstream = dice.sample([*names, "nowhere"], dice.randint(0, 2))
        stages[name] = {"upstream": upstream} if dice.random() < 0.8 else {"upstream": upstream, "direct": True}
    values = {**MINIMAL, "stages": stages}
    assert said_by_tool(values, chart) == said_by_chart(values, tmp_path)


def test_lists_of_the_chart_and_the_tool_are_the_same() -> None:
    steps = (CHART / "templates" / "_steps.tpl").read_text()
    for define, known in (("builtinSteps", step_lists.BUILTIN_STEPS), ("reservedVars", step_lists.RESERVED_VARS)):
        body = steps.split(f'define "kargo-service.{define}" -}}}}')[1].split("{{- end -}}")[0]
        assert set(body.split()) == known


def test_pipeline_order() -> None:
    stages = {"prod": {"upstream": ["staging"]}, "dev": {}, "staging": {"upstream": ["dev"]}}
    assert pipeline_order(stages) == ["dev", "staging", "prod"]
    assert sorted(pipeline_order({"a": {"upstream": ["b"]}, "b": {"upstream": ["a"]}})) == ["a", "b"]


def _over(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Lay a change over values, keeping its nulls for Helm."""
    result = dict(base)
    for key, value in change.items():
        result[key] = (
            _over(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
        )
    return result
