"""One table for both halves of the policy: what a service's own file says, what the tool says of it, and what the API server does.

A case is (kargo.yaml, the rule that the tool names, the rule that the cluster names); "" is allowed. Where the two differ on
purpose, docs/policy.md says so.
"""

from __future__ import annotations

from typing import NamedTuple

FLEET = """\
image: {registry: registry.example.com}
git: {repoURL: https://git.example.com/platform.git}
values:
  stages:
    prod: {requiredSoakTime: 1h}
    staging: {verification: {analysisTemplates: [{name: smoke}]}}
  rbac:
    bindings:
      release: {role: promoter, stages: [prod], groups: [release-managers]}
groups:
  pay:
    services: [pay-*]
    values:
      warehouse: {subscriptions: [{image: {repoURL: docker.io/library/<service>}}]}
      rbac: {bindings: {team: {role: admin, groups: ["team-<service>"]}}}
  reviewed:
    services: [reviewed]
    values:
      stages: {prod: {promotion: {pullRequest: {enabled: true, provider: github}}}}
policy:
  cluster: {enabled: true, actions: [Deny, Audit], approvers: [release-managers]}
  rules:
    gates: {relaxedFor: [{services: [relaxed]}]}
    prod-by-hand:
      owner: release managers
      reason: people decide about prod
      keys: [stages.*.autoPromotionEnabled]
      writes: ["services/*/values-live*.yaml"]
      must: {const: false}
    day: {keys: [stages.prod.requestedFreight.*.requiredSoakTime], minimumDuration: 30m, services: [relaxed, dated, ended]}
    hosts: {keys: [warehouses.*.subscriptions.*.git.repoURL], must: {pattern: "^https://git[.]example[.]com/"}}
    no-copy: {keys: [stages.*.promotion.steps.*.*.uses, promotionTasks.*.steps.*.uses], must: {not: {enum: [copy, untar]}}}
    groups: {keys: [rbac.bindings.*.groups.*], must: {not: {const: interns}}}
    locked: {keys: [resourceQuota], setBy: platform}
  exceptions:
    - {rule: gates, services: [dated], owner: x, reason: y, until: "2999-12-30"}
    - {rule: gates, services: [ended], owner: x, reason: y, until: "2020-12-31"}
"""
#: The services of the fleet; `nginx` is in no group.
SERVICES = ("nginx", "pay-a", "reviewed", "relaxed", "dated", "ended")

STEP = "promotion: {steps: {beforeCommit: [%s]}}"
AUTOMATIC = "stages: {prod: {autoPromotionEnabled: true}}"
QUICK = "stages: {prod: {requiredSoakTime: 40m}}"


class Case(NamedTuple):
    """What `service` says in its own file, the rule that the tool names and the one that the cluster names."""

    said: str
    tool: str = ""
    cluster: str = ""
    service: str = "nginx"


def both(said: str, rule: str, service: str = "nginx") -> Case:
    """Return a case in which both halves name the same rule."""
    return Case(said, rule, rule, service)


CASES = [
    *(Case("{}", service=service) for service in SERVICES),
    both("image: {repoURL: docker.io/library/nginx}", "own-registry"),
    both("image: {repoURL: registry.example.com.attacker.example/nginx}", "own-registry"),
    Case("image: {repoURL: registry.example.com/team/nginx}"),
    both("warehouse: {subscriptions: [{image: {repoURL: docker.io/library/pay-b}}]}", "own-registry", "pay-a"),
    both("git: {repoURL: https://git.example.com/other.git}", "own-repository"),
    both("git: {branch: other}", "own-repository"),
    both("stages: {dev: {git: {branch: other}}}", "own-repository"),
    both("rbac: {bindings: {a: {role: viewer, groups: ['system:authenticated']}}}", "subjects"),
    both("rbac: {bindings: {a: {role: viewer, users: ['*']}}}", "subjects"),
    both("rbac: {bindings: {a: {roleRef: {kind: ClusterRole, name: cluster-admin}, groups: [a]}}}", "subjects"),
    both("rbac: {bindings: {a: {role: viewer, serviceAccounts: [{name: default, namespace: ci}]}}}", "subjects"),
    Case("rbac: {bindings: {a: {role: viewer, groups: [a], claims: {groups: [a]}, serviceAccounts: [{name: bot}]}}}"),
    Case("rbac: {bindings: {a: {role: viewer, claims: {groups: ['*']}}}}", tool="subjects"),  # claims: the tool only
    both("rbac: {bindings: {a: {role: admin, groups: [a]}}}", "roles"),
    both("rbac: {bindings: {a: {role: promoter, groups: [a]}}}", "roles"),
    both("rbac: {bindings: {a: {role: promoter, stages: [dev, prod], groups: [a]}}}", "roles"),
    both("rbac: {bindings: {release: {groups: [mine]}}}", "roles"),
    Case("rbac: {bindings: {a: {role: promoter, stages: [dev, staging], groups: [a]}}}"),
    both("rbac: {bindings: {team: {groups: [mine]}}}", "roles", "pay-a"),
    both(STEP % "{uses: http, config: {url: https://example.com}}", "local-steps"),
    both("promotionTasks: {a: {steps: [{uses: http, config: {url: https://example.com}}]}}", "local-steps"),
    both(
        STEP % "{uses: git-clone, config: {repoURL: https://example.com/a.git, checkout: [{path: ./a}]}}", "local-steps"
    ),
    Case(STEP % "{uses: git-push, config: {path: ./src}}", tool="local-steps"),  # a step of the chart's own
    both("analysisTemplates: {a: {metrics: [{name: a, provider: {job: {spec: {template: {}}}}}]}}", "local-steps"),
    both(AUTOMATIC, "gates"),
    both("stages: {prod: {requiredSoakTime: 1m}}", "gates"),
    both("stages: {prod: {requiredSoakTime: null}}", "gates"),
    both("stages: {prod: {direct: true}}", "gates"),
    both("stages: {staging: {verification: null}}", "gates"),
    both("stages: {prod: {promotion: {pullRequest: {enabled: false}}}}", "gates", "reviewed"),
    both("stages: {prod: {promotion: {pullRequest: {merge: true}}}}", "gates", "reviewed"),
    Case(AUTOMATIC, service="reviewed"),
    Case("stages: {prod: {requiredSoakTime: 24h}}"),
    # A guard belongs to a file, which only the tool knows.
    Case(
        "{rbac: {bindings: {release: null}}, stages: {prod: null, live: {upstream: [staging], "
        "promotion: {path: services/nginx/values-prod.yaml}}}}",
        tool="gates",
    ),
    both(
        "stages: {prod: {autoPromotionEnabled: true, promotion: {pullRequest: {enabled: true, provider: github}}}}",
        "gates",
    ),
    Case(AUTOMATIC, service="relaxed"),
    Case(QUICK, service="relaxed"),
    both("stages: {prod: {requiredSoakTime: 20m}}", "day", "relaxed"),
    Case(QUICK, service="dated"),
    Case(QUICK, cluster="gates", service="ended"),  # `check` reports the day; `generate` does not look at it
    both("projectConfig: {stageLinks: [{title: a, url: 'javascript:alert(1)'}]}", "web-links"),
    Case("projectConfig: {stageLinks: [{title: a, url: 'https://<service>.example.com'}]}"),
    both("warehouse: {subscriptions: [{git: {repoURL: https://github.com/a/b.git}}]}", "hosts"),
    Case("warehouse: {subscriptions: [{git: {repoURL: https://git.example.com/b.git}}]}"),
    both(STEP % "{uses: copy, config: {inPath: ./src/services/nginx/a, outPath: ./src/services/nginx/b}}", "no-copy"),
    both("rbac: {bindings: {a: {role: viewer, groups: [interns]}}}", "groups"),
    # Not held there.
    Case("promotion: {path: 'services/pay-a/values-<stage>.yaml'}", tool="own-files"),
    Case("commonLabels: {example.com/cost: '7'}"),
    Case("resourceQuota: {enabled: true}", tool="locked"),
]
