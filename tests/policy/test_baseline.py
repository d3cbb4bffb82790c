"""What one team's file may do: a table whose every row is refused by a rule, said by a finding, or allowed on purpose.

docs/security.md has the reasons.
"""

from __future__ import annotations

import json

import pytest

from conftest import FLEET, TRUSTING, Run, Tree, service
from kargo_fleet.fleet.policy_section import SHIPPED
from kargo_fleet.policy.baseline import BASELINE

#: What the platform decided for all services.
PLATFORM = """\
values:
  stages:
    prod: {requiredSoakTime: 1h, promotion: {pullRequest: {enabled: true, provider: github}}}
    staging: {verification: {analysisTemplates: [{name: smoke}]}}
  resourceQuota: {enabled: true}
"""
STEP = "promotion: {steps: {beforeCommit: [%s]}}"
DEPENDENCY = "{path: charts/kargo-service, name: a, repository: 'https://e.com', version: '${{ ctx.stage }}'}"
TAKES_BOTH = "stages: {dev: {requestedFreight: {main: {direct: true}, a: {direct: true}}}}"
SECRET = "${{ secret('git').password }}"

REFUSED = [
    # Files: the platform's, another service's, and what cannot be known.
    ("KF103", "stages: {dev: {promotion: {path: ./fleet.yaml}}}"),
    ("own-files", "promotion: {path: 'argocd/<stage>.yaml'}"),
    ("own-files", "stages: {dev: {promotion: {path: values/api.yaml}}}"),
    ("own-files", "stages: {dev: {promotion: {path: charts/kargo-service/values.yaml}}}"),
    ("own-files", "stages: {dev: {promotion: {path: .github/workflows/ci.yaml}}}"),
    ("own-files", "promotion: {path: 'services/api/values-<stage>.yaml'}"),
    ("own-files", "promotion: {path: 'services/nginx-other/values-<stage>.yaml'}"),
    ("KF103", "promotion: {path: 'services/nginx/../api/<stage>.yaml'}"),
    ("KF103", "promotion: {path: 'services/nginx/${{ vars.x }}/<stage>.yaml'}"),
    ("own-files", "stages: {dev: {promotion: {path: fleet.yaml}}}"),
    ("own-files", "promotion: {updates: {a: {yaml: {path: 'argocd/<stage>.yaml', keys: {image.registry: tag}}}}}"),
    ("own-files", "promotion: {updates: {a: {kustomize: {path: 'services/api/<stage>'}}}}"),
    (
        "own-files",
        f"stages: {{dev: {{promotion: {{updates: {{a: {{helmDependency: {DEPENDENCY}}}}}}}}}}}",
    ),
    ("own-files", "promotion: {render: {helm: {path: charts/app}, outPath: api}}"),
    ("own-files", "promotion: {render: {helm: {path: charts/app}, outPath: ., branch: 'env/<stage>'}}"),
    ("own-files", STEP % "{uses: yaml-update, config: {path: ./src/fleet.yaml, updates: [{key: a, value: b}]}}"),
    ("own-files", STEP % "{uses: copy, config: {inPath: ./src/services/nginx, outPath: ./src/services/api}}"),
    ("own-files", STEP % "{uses: delete, config: {path: ./src/argocd}}"),
    ("own-files", STEP % "{uses: delete, config: {path: './x/../src/argocd'}}"),
    ("own-files", STEP % "{uses: delete, config: {path: '${{ vars.anywhere }}'}}"),
    ("own-files", STEP % "{uses: delete, config: {path: ./src}}"),
    ("own-files", "promotionTasks: {a: {steps: [{uses: delete, config: {path: ./src/values}}]}}"),
    # Where promotions commit.
    ("own-repository", "git: {repoURL: https://git.example.com/other.git}"),
    ("own-repository", "git: {branch: other}"),
    ("own-repository", "stages: {dev: {branch: 'env/<stage>'}}"),
    ("own-repository", "stages: {dev: {git: {repoURL: https://git.example.com/other.git}}}"),
    ("own-repository", "stages: {dev: {git: {branch: other}}}"),
    # Images.
    ("own-registry", "image: {repoURL: docker.io/library/nginx}"),
    ("own-registry", "image: {repoURL: registry.example.com.attacker.example/nginx}"),
    (
        "own-registry",
        f"{{warehouses: {{a: {{image: {{repoURL: docker.io/a/b}}}}}}, {TAKES_BOTH}}}",
    ),
    ("own-registry", "warehouse: {subscriptions: [{image: {repoURL: docker.io/a/b}}]}"),
    (
        "own-registry",
        "promotion: {updates: {a: {kustomize: {path: 'services/nginx/<stage>', newName: docker.io/a/b}}}}",
    ),
    # Applications of others.
    ("own-application", "promotion: {argocdUpdate: {enabled: true, name: root-app}}"),
    ("own-application", "promotion: {argocdUpdate: {enabled: true, name: api-<stage>}}"),
    ("own-application", "stages: {dev: {promotion: {argocdUpdate: {enabled: true, name: nginx-prod}}}}"),
    ("own-application", "promotion: {argocdUpdate: {enabled: true, namespace: kube-system}}"),
    # What others decide by.
    ("reserved-metadata", "commonAnnotations: {meta.helm.sh/release-name: api}"),
    ("reserved-metadata", "commonLabels: {app.kubernetes.io/part-of: other}"),
    ("reserved-metadata", "namespace: {annotations: {helm.sh/hook: pre-delete}}"),
    ("reserved-metadata", "project: {annotations: {argocd.argoproj.io/hook: PreSync}}"),
    ("reserved-metadata", "namespace: {labels: {pod-security.kubernetes.io/enforce: privileged}}"),
    ("reserved-metadata", "warehouse: {labels: {kargo.akuity.io/project: api}}"),
    ("reserved-metadata", "stages: {dev: {annotations: {kargo.akuity.io/refresh: now}}}"),
    (
        "reserved-metadata",
        f"{{warehouses: {{a: {{chart: {{repoURL: oci://e.com/a}}, annotations: {{helm.sh/hook: x}}}}}}, {TAKES_BOTH}}}",
    ),
    # Access.
    ("subjects", "rbac: {bindings: {a: {role: viewer, groups: ['system:authenticated']}}}"),
    ("subjects", "rbac: {bindings: {a: {role: viewer, users: ['*']}}}"),
    ("subjects", "rbac: {bindings: {a: {role: viewer, users: ['system:anonymous']}}}"),
    ("subjects", "rbac: {bindings: {a: {role: viewer, claims: {groups: ['*']}}}}"),
    ("subjects", "rbac: {bindings: {a: {roleRef: {kind: ClusterRole, name: cluster-admin}, groups: [a]}}}"),
    ("subjects", "rbac: {bindings: {a: {roleRef: {kind: Role, name: default}, groups: [a]}}}"),
    ("subjects", "rbac: {bindings: {a: {role: viewer, serviceAccounts: [{name: default, namespace: ci}]}}}"),
    ("roles", "rbac: {bindings: {a: {role: admin, groups: [a]}}}"),
    ("roles", "rbac: {bindings: {a: {role: promoter, groups: [a]}}}"),
    ("roles", "rbac: {bindings: {a: {role: promoter, stages: [dev, prod], groups: [a]}}}"),
    # What protects units.
    ("protection", "deletionProtection: {helm: false}"),
    ("protection", "deletionProtection: {argocd: false}"),
    ("protection", "deletionProtection: {keepNamespace: false}"),
    ("protection", "deletionProtection: null"),
    ("protection", "namespace: {create: false}"),
    ("protection", "syncWaves: false"),
    ("protection", "resourceQuota: {enabled: false}"),
    ("protection", "resourceQuota: null"),
    ("protection", "resourceQuota: {hard: {count/freights.kargo.akuity.io: 100000}}"),
    ("protection", "git: {insecureSkipTLSVerify: true}"),
    ("protection", "image: {insecureSkipTLSVerify: true}"),
    ("protection", "stages: {dev: {git: {insecureSkipTLSVerify: true}}}"),
    (
        "protection",
        "warehouse: {subscriptions: [{chart: {repoURL: oci://r.example.com/a, insecureSkipTLSVerify: true}}]}",
    ),
    # Guards of stages.
    ("gates", "stages: {prod: {autoPromotionEnabled: true, promotion: {pullRequest: {enabled: false}}}}"),
    ("gates", "stages: {prod: {requiredSoakTime: 1m}}"),
    ("gates", "stages: {prod: {requiredSoakTime: null}}"),
    ("gates", "stages: {prod: {upstream: null}}"),
    ("gates", "stages: {prod: {direct: true}}"),
    ("gates", "stages: {prod: {promotion: {pullRequest: {enabled: false}}}}"),
    ("gates", "stages: {prod: {promotion: {pullRequest: {merge: true}}}}"),
    ("gates", "stages: {prod: {promotion: null}}"),
    ("gates", "stages: {staging: {verification: null}}"),
    ("gates", "stages: {prod: null, live: {upstream: [staging], promotion: {path: services/nginx/values-prod.yaml}}}"),
    # Steps.
    ("local-steps", STEP % "{uses: http, config: {url: https://example.com}}"),
    ("local-steps", STEP % "{uses: git-push, config: {path: ./src}}"),
    ("local-steps", STEP % "{uses: git-clone, config: {repoURL: https://example.com/a.git, checkout: [{path: ./a}]}}"),
    (
        "local-steps",
        STEP % "{uses: oci-push, config: {srcRef: 'registry.example.com/a:1', destRef: 'registry.example.com/b:1'}}",
    ),
    ("local-steps", "promotionTasks: {a: {steps: [{uses: http, config: {url: https://example.com}}]}}"),
    ("local-steps", "stages: {dev: {promotion: {steps: {replace: [{uses: git-push, config: {path: ./a}}]}}}}"),
    ("local-steps", "analysisTemplates: {a: {metrics: [{name: a, provider: {job: {spec: {template: {}}}}}]}}"),
    # Secrets.
    ("secrets", f'promotion: {{message: "{SECRET}"}}'),
    ("secrets", "promotion: {message: \"${{ sharedSecret('x').y }}\"}"),
    ("secrets", f'promotion: {{pullRequest: {{title: "{SECRET}"}}}}'),
    ("secrets", f'promotion: {{pullRequest: {{labels: ["{SECRET}"]}}}}'),
    ("secrets", f'stages: {{dev: {{vars: {{t: "{SECRET}"}}}}}}'),
    ("secrets", STEP % f'{{uses: file-write, config: {{path: ./src/services/nginx/a, contents: "{SECRET}"}}}}'),
    ("secrets", "promotion: {message: \"${{ 'git' | secret() | toJSON() }}\"}"),
    # Links and sizes.
    ("web-links", "projectConfig: {stageLinks: [{title: a, url: 'javascript:alert(1)'}]}"),
    ("web-links", "projectConfig: {freightLinks: [{title: a, url: 'data:text/html,x'}]}"),
    (
        "limits",
        f"warehouse: {{subscriptions: [{', '.join(f'{{git: {{repoURL: https://e.com/{n}.git}}}}' for n in range(40))}]}}",
    ),
]

#: What a team may do, since it stays with the service, or makes the guards stronger.
ALLOWED = [
    "promotion: {path: 'services/<service>/values-<stage>.yaml'}",
    "promotion: {tagKey: '', updates: {job: {yaml: {path: 'services/<service>/values-<stage>.yaml', keys: {image.tag: tag}}}}}",
    "promotion: {tagKey: image.tag, message: 'release ${{ ctx.stage }}'}",
    STEP % "{uses: yaml-update, config: {path: './src/${{ vars.path }}', updates: [{key: image.tag, value: a}]}}",
    "image: {constraint: ^2.0.0}",
    "image: {repoURL: registry.example.com/team/nginx}",
    "warehouse: {interval: 1h, subscriptions: [{git: {repoURL: https://github.com/example/config.git}}]}",
    "stages: {prod: {requiredSoakTime: 24h}}",
    "stages: {dev: {autoPromotionEnabled: false}}",
    "stages: {prod: {color: red, description: three zones, vars: {zone: a}}}",
    "rbac: {bindings: {team: {role: viewer, groups: [team], serviceAccounts: [{name: bot}]}}}",
    "rbac: {bindings: {team: {role: promoter, stages: [dev, staging], groups: [team]}}}",
    "commonLabels: {team: web, example.com/cost: '7'}",
    "projectConfig: {stageLinks: [{title: a, url: 'https://<service>.example.com'}]}",
    "git: {author: {name: a, email: a@example.com, signingKey: \"${{ secret('gpg').key }}\"}}",
    "promotion: {argocdUpdate: {enabled: true}}",
    "promotion: {argocdUpdate: {enabled: true, name: '<service>-<stage>'}}",
    "analysisTemplates: {a: {metrics: [{name: a, provider: {web: {url: https://example.com}}}]}}",
]


def rules_of(run: Run) -> set[str]:
    """Return the shipped rules that the fleet breaks, and the codes of its other mistakes."""
    found = json.loads(run("generate", "--output", "json").stdout)["findings"]
    of_rules = {one["message"].partition("; rule ")[2].partition(":")[0] for one in found if one["code"] == "KF351"}
    return of_rules | {one["code"] for one in found if one["severity"] == "error" and one["code"] != "KF351"}


@pytest.mark.parametrize(("rule", "kargo"), REFUSED, ids=lambda text: text[:60])
def test_what_a_team_may_not_do(tree: Tree, run: Run, rule: str, kargo: str) -> None:
    tree({"fleet.yaml": FLEET + PLATFORM, **service("nginx", kargo=kargo + "\n")})
    assert rule in rules_of(run)


@pytest.mark.parametrize("kargo", ALLOWED)
def test_what_a_team_may_do(tree: Tree, run: Run, kargo: str) -> None:
    tree({"fleet.yaml": FLEET + PLATFORM, **service("nginx", kargo=kargo + "\n")})
    assert rules_of(run) == set()


@pytest.mark.parametrize("kargo", [kargo for _, kargo in REFUSED], ids=lambda text: text[:60])
def test_one_line_turns_the_baseline_off(tree: Tree, run: Run, kargo: str) -> None:
    tree({"fleet.yaml": TRUSTING + PLATFORM, **service("nginx", kargo=kargo + "\n")})
    assert not rules_of(run) & BASELINE.keys()


@pytest.mark.parametrize(("rule", "kargo"), REFUSED, ids=lambda text: text[:60])
def test_each_rule_is_relaxed_by_name(tree: Tree, run: Run, rule: str, kargo: str) -> None:
    rules = f"policy: {{rules: {{{rule}: {{relaxedFor: [{{services: [ngin?]}}]}}}}}}\n" if rule in BASELINE else ""
    tree({"fleet.yaml": FLEET + PLATFORM + rules, **service("nginx", kargo=kargo + "\n")})
    assert (rule in rules_of(run)) == (rule not in BASELINE)


def test_every_shipped_rule_is_in_the_table() -> None:
    assert tuple(BASELINE) == SHIPPED
    assert {rule for rule, _ in REFUSED} >= set(SHIPPED)
