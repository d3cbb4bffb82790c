"""Settings without effect are said; those that a weaker layer has for others are not."""

from __future__ import annotations

import pytest
from test_warnings import codes, find

GIT = "repoURL: 'https://example.com/other/c'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image: {imageSelectionStrategy: Digest, constraint: latest, allowTagsRegexes: [a]}",
            "image.allowTagsRegexes",
        ),
        ("image: {imageSelectionStrategy: Digest, constraint: latest, cacheByTag: false}", "image.cacheByTag"),
        ("image: {imageSelectionStrategy: Lexical, strictSemvers: false}", "image.strictSemvers"),
        (f"warehouse: {{subscriptions: [{{git: {{{GIT}, semverConstraint: ^1.0.0}}}}]}}", "semverConstraint"),
        (
            f"warehouse: {{subscriptions: [{{git: {{{GIT}, commitSelectionStrategy: SemVer, branch: a}}}}]}}",
            "git.branch",
        ),
        (
            "warehouse: {subscriptions: [{image: {repoURL: a/b, imageSelectionStrategy: Lexical, constraint: ^1.0.0}}]}",
            "image.constraint",
        ),
        ("warehouse: {freightCreationPolicy: Manual, freightCreationCriteria: {expression: x}}", "Criteria.expression"),
        ("resourceQuota: {hard: {pods: 1}}", "resourceQuota.hard"),
        ("promotion: {pullRequest: {title: x}}", "pullRequest.title"),
        ("promotion: {pullRequest: {enabled: true, provider: gitea, mergeMethod: squash}}", "pullRequest.mergeMethod"),
        ("stages: {prod: {promotion: {argocdUpdate: {namespace: x}}}}", "argocdUpdate.namespace"),
        ("promotion: {task: {vars: {a: b}}}", "task.vars"),
        ("promotion: {render: {branch: a}}", "render.branch"),
        ("stages: {prod: {promotion: {render: {outPath: a}}}}", "render.outPath"),
        ("promotion: {task: {name: a}, render: {kustomize: {path: a}}}", "promotion.render"),
        (
            "stages: {prod: {promotion: {steps: {replace: [{uses: http}]}, render: {helm: {path: a}}}}}",
            "prod.promotion.render",
        ),
        (
            "git: {repoURL: 'https://bitbucket.org/a/b'}\npromotion: {pullRequest: {enabled: true, labels: [x]}}",
            "pullRequest.labels",
        ),
        (
            "image: null\nwarehouse: {subscriptions: [{chart: {repoURL: 'oci://a/b'}}]}\npromotion: {tagKey: a.b}",
            "tagKey",
        ),
        (
            "image: null\nwarehouse: {subscriptions: [{chart: {repoURL: 'oci://a/b'}}]}\npromotion: {digestKey: a.b}",
            "promotion.digestKey",
        ),
        (
            (
                "warehouses: {c: {git: {}}}\n"
                "stages: {dev: {requestedFreight: {c: {}}, promotion: {digestKey: a}},"
                " prod: {upstream: null}, staging: {upstream: null}}"
            ),
            "dev.promotion.digestKey",
        ),
        (
            "image: null\nwarehouse: {subscriptions: [{git: {}}]}\npromotion: {render: {kustomize: {path: a, newName: b}}}",
            "render.kustomize.newName",
        ),
        ("stages: {prod: {promotion: {tagKey: a, render: {kustomize: {path: a}}}}}", "prod.promotion.tagKey"),
        ("image: null\nwarehouse: {interval: 10m}\nwarehouses: {c: {git: {}}}", "warehouse.interval"),
        ("stages: {prod: {controlFlow: true, verification: {args: [{name: a, value: b}]}}}", "prod.verification"),
        ("stages: {prod: {controlFlow: true, branch: a}}", "prod.branch"),
        ("stages: {prod: {availabilityStrategy: OneOf}}", "prod.availabilityStrategy"),
        ("stages: {dev: {availabilityStrategy: All}}", "dev.availabilityStrategy"),
    ],
)
def test_a_setting_without_effect(text: str, message: str) -> None:
    found = [finding for finding in find(text) if finding.code == "KFW306"]
    assert len(found) == 1
    assert f"{message}: has no effect" in found[0].message
    assert found[0].place.file == "services/nginx/kargo.yaml"


@pytest.mark.parametrize(
    "layers",
    [
        ("promotion: {pullRequest: {provider: gitea, title: x, labels: [y]}}", "shard: a"),  # for some services
        ("promotion: {pullRequest: {title: x}}\nstages: {prod: {promotion: {pullRequest: {enabled: true}}}}",),
        ("promotion: {argocdUpdate: {enabled: true, namespace: x}}",),
        (
            "image: {allowTagsRegexes: [a], strictSemvers: false}",
            "image: {imageSelectionStrategy: Digest, constraint: a}",
        ),
        ("resourceQuota: {hard: {pods: 1}}", "shard: a"),
        (
            "promotion: {tagKey: a.b, digestKey: b}",
            "image: null\nwarehouse: {subscriptions: [{chart: {repoURL: 'oci://a/b'}}]}",
        ),
        ("image: null\nwarehouse: {subscriptions: [{chart: {repoURL: 'oci://a/b'}}]}\npromotion: {tagKey: ''}",),
        ("warehouse: {interval: 10m}", "image: null\nwarehouses: {c: {git: {}}}"),
        (
            (
                "promotion: {tagKey: a}\nwarehouses: {c: {chart: {repoURL: 'oci://a/b'}}}\n"
                "stages: {dev: {requestedFreight: {c: {}}}, staging: {upstream: null}}"
            ),
        ),
        ("promotion: {tagKey: a}", "promotion: {render: {kustomize: {path: a}}}"),
        ("stages: {prod: {upstream: [dev, staging], availabilityStrategy: All}}",),
    ],
)
def test_a_setting_for_others(layers: tuple[str, ...]) -> None:
    assert codes(*layers) == []
