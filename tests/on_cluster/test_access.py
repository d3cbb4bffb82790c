"""Who may do what: exactly what docs/access.md promises, asked of the API server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from .control_plane import Client, Object
from .units import NGINX, Units

pytestmark = pytest.mark.cluster

HERE, ELSEWHERE = "kargo-access", "kargo-elsewhere"
KARGO, RBAC, ROLLOUTS, CORE = "kargo.akuity.io", "rbac.authorization.k8s.io", "argoproj.io", ""
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete", "deletecollection")

BINDINGS = """
rbac:
  bindings:
    admins:
      role: admin
      groups: [admins]
    promoters:
      role: promoter
      groups: [promoters]
      users: [alice@example.com]
      claims: {groups: [promoters]}
    viewers:
      role: viewer
      groups: [viewers]
      serviceAccounts: [{name: dashboard, namespace: ci}]
    developers:
      role: promoter
      stages: [dev, staging]
      groups: [developers]
      claims: {groups: [developers]}
"""


@dataclass(frozen=True)
class May:
    """`May("get", "pods")`: a verb on a resource, of one name or of any, in a namespace or cluster-wide."""

    verb: str
    resource: str
    group: str = KARGO
    name: str = ""
    namespace: str = HERE

    def review(self) -> Object:
        resource, _, subresource = self.resource.partition("/")
        attributes = {
            "verb": self.verb,
            "resource": resource,
            "subresource": subresource,
            "group": self.group,
            "name": self.name,
            "namespace": self.namespace,
        }
        kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        return {**kind, "spec": {"resourceAttributes": attributes}}

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''} {self.name} in {self.namespace or 'the cluster'}"


def all_of(verbs: Iterable[str], resources: str, group: str = KARGO) -> set[May]:
    return {May(verb, resource, group) for verb, resource in product(verbs, resources.split())}


PROMOTE = {May("promote", "stages", name=stage) for stage in ("dev", "staging", "prod")}
CONFIGURATION = "projectconfigs stages warehouses"

#: Everything that is asked for everybody. What is not expected of a person must be refused.
UNIVERSE: set[May] = (
    PROMOTE
    | {May("promote", "stages")}
    | all_of((*READ, *WRITE), f"{CONFIGURATION} freights promotions")
    | all_of(("get", "list", "create", "update", "delete"), "promotiontasks")
    | all_of(("patch", "update"), "freights/status stages/status")
    | all_of((*READ, "create", "update", "delete"), "configmaps secrets serviceaccounts resourcequotas", CORE)
    | all_of(("get", "create"), "events pods", CORE)
    | all_of(("create",), "serviceaccounts/token", CORE)
    | all_of(("get", "list", "create", "update", "delete", "bind", "escalate"), "roles rolebindings", RBAC)
    | all_of(("get", "create", "delete"), "analysisruns analysistemplates", ROLLOUTS)
    | {May(verb, "projects", name=HERE, namespace="") for verb in ("get", "update", "delete")}
    | {May("create", "projects", namespace="")}
    | {May(verb, "namespaces", CORE, name=HERE, namespace="") for verb in ("get", "update", "delete")}
    | {
        May(verb, resource, namespace=ELSEWHERE)
        for verb, resource in product(("get", "update", "promote"), ("stages",))
    }
    | {May(verb, "secrets", CORE, namespace=ELSEWHERE) for verb in ("get", "create")}
    | {May(verb, "clusterconfigs", namespace="") for verb in ("get", "update")}
)

SEE: set[May] = (
    all_of(READ, f"{CONFIGURATION} freights promotions")
    | all_of(READ, "configmaps serviceaccounts", CORE)
    | all_of(("get",), "events", CORE)
    | all_of(("get", "list"), "roles rolebindings", RBAC)
    | all_of(("get",), "analysisruns analysistemplates", ROLLOUTS)
)
CREATE_PROMOTIONS = {May("create", "promotions")}
ADMINISTER: set[May] = (
    all_of(WRITE, f"{CONFIGURATION} freights")
    | all_of(("get", "list", "create", "update", "delete"), "promotiontasks")
    | all_of((*READ, "create", "update", "delete"), "configmaps secrets serviceaccounts", CORE)
    | all_of(("create", "update", "delete", "bind", "escalate"), "roles rolebindings", RBAC)
    # Promotions are immutable.
    | all_of(("patch", "delete"), "promotions")
    | all_of(("delete",), "analysisruns", ROLLOUTS)
    | all_of(("create", "delete"), "analysistemplates", ROLLOUTS)
)
APPROVE = all_of(("patch",), "freights/status")

PROMOTER = SEE | CREATE_PROMOTIONS | PROMOTE | {May("promote", "stages")} | APPROVE
DEVELOPER = SEE | CREATE_PROMOTIONS | {May("promote", "stages", name=stage) for stage in ("dev", "staging")}

SERVICE_ACCOUNTS = ("system:serviceaccounts", f"system:serviceaccounts:{HERE}")


@dataclass(frozen=True)
class Person:
    name: str
    groups: tuple[str, ...] = ()

    @property
    def flags(self) -> list[str]:
        return [f"--as={self.name}", *(f"--as-group={group}" for group in (*self.groups, "system:authenticated"))]


PEOPLE: dict[str, tuple[Person, set[May]]] = {
    "admin": (Person("ann", ("admins",)), PROMOTER | ADMINISTER),
    "promoter": (Person("pat", ("promoters",)), PROMOTER),
    "promoter by name": (Person("alice@example.com"), PROMOTER),
    "promoter in Kargo's UI": (
        Person(f"system:serviceaccount:{HERE}:kargo-service-promoters", SERVICE_ACCOUNTS),
        PROMOTER,
    ),
    "viewer": (Person("vic", ("viewers",)), SEE),
    "viewer, a bot": (
        Person("system:serviceaccount:ci:dashboard", ("system:serviceaccounts", "system:serviceaccounts:ci")),
        SEE,
    ),
    "promoter of two stages": (Person("dev", ("developers",)), DEVELOPER),
    "promoter of two stages in Kargo's UI": (
        Person(f"system:serviceaccount:{HERE}:kargo-service-developers", SERVICE_ACCOUNTS),
        DEVELOPER,
    ),
    "another team": (
        Person("tom", ("others",)),
        {question for question in UNIVERSE if question.namespace == ELSEWHERE},
    ),
    "nobody": (Person("nobody"), set()),
}


@pytest.fixture(scope="module")
def access(lasting_units: Units, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A unit with bindings, and another team's."""
    file: Path = tmp_path_factory.mktemp("values") / "values.yaml"
    file.write_text(BINDINGS)
    lasting_units.install("access", NGINX, file, sets=["service.name="])
    others = "rbac.bindings.others"
    lasting_units.install(
        "elsewhere", NGINX, sets=["service.name=", f"{others}.role=admin", f"{others}.groups={{others}}"]
    )
    for project in (HERE, ELSEWHERE):
        lasting_units.wait_until_ready(project)
    return lasting_units.cluster


def ask(cluster: Client, person: Person, questions: Iterable[May]) -> set[May]:
    """Which of these the API server allows a person, by one `kubectl create` of SelfSubjectAccessReviews."""
    asked = list(questions)
    listed = {"apiVersion": "v1", "kind": "List", "items": [question.review() for question in asked]}
    out = cluster.kubectl("create", "-f", "-", "-o", "json", *person.flags, stdin=json.dumps(listed)).stdout
    # One object after the other, or a List of them.
    decoder, at = json.JSONDecoder(), 0
    answers: list[Object] = []
    while out[at:].strip():
        at += len(out[at:]) - len(out[at:].lstrip())
        answer, at = decoder.raw_decode(out, at)
        answers += answer["items"] if answer["kind"] == "List" else [answer]
    assert len(answers) == len(asked)
    return {question for question, answer in zip(asked, answers, strict=True) if answer["status"]["allowed"]}


@pytest.mark.parametrize("who", PEOPLE)
def test_people_may_do_what_is_promised_and_nothing_more(access: Client, who: str) -> None:
    person, promised = PEOPLE[who]
    assert promised <= UNIVERSE
    allowed = ask(access, person, sorted(UNIVERSE, key=str))
    assert (sorted(map(str, promised - allowed)), sorted(map(str, allowed - promised))) == ([], [])


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_kubernetes_own_roles_say_nothing_about_kargo(access: Client, role: str) -> None:
    access.kubectl(
        "create", "rolebinding", f"builtin-{role}", f"--clusterrole={role}", f"--group=builtin-{role}", "-n", HERE
    )
    person = Person("bob", (f"builtin-{role}",))
    assert ask(access, person, [May("get", "configmaps", CORE)]), f"the ClusterRole {role} is empty"
    kargo = {question for question in UNIVERSE if question.group == KARGO}
    assert ask(access, person, kargo) == set()


def test_the_commands_of_the_documentation(access: Client) -> None:
    """docs/access.md, "Check"."""

    def can_i(stage: str) -> str:
        question = ["promote", f"stages.kargo.akuity.io/{stage}", "-n", HERE, "--as=alice", "--as-group=developers"]
        return access.kubectl("auth", "can-i", *question, check=False).stdout.strip()

    assert [can_i(stage) for stage in ("dev", "staging", "prod")] == ["yes", "yes", "no"]
    done = access.kubectl("auth", "can-i", "get", "stages", "-n", HERE, "--as=nobody", check=False)
    assert (done.returncode, done.stdout.strip()) == (1, "no")


def test_a_project_may_be_deleted_by_its_admin_in_kargos_ui(access: Client) -> None:
    """Projects are cluster-scoped: Kargo gives `kargo-admin`, the ServiceAccount, that right, and no RoleBinding can."""
    may = {May(verb, "projects", name=HERE, namespace="") for verb in ("update", "delete")}
    assert ask(access, Person(f"system:serviceaccount:{HERE}:kargo-admin", SERVICE_ACCOUNTS), may) == may
