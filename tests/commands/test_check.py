"""What people do wrong, and what `check` and `generate` say to it: one clear message each, with place and fix."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import FLEET, Command, Files, Run, Tree, service
from kargo_fleet.findings import Place
from kargo_fleet.fleet.chart import read_chart
from kargo_fleet.generate.desired import desired_state

OWN = "services/nginx/kargo.yaml"
NO_NGINX: Files = dict.fromkeys(service("nginx"))

#: name → files, the one place that is wrong, words of the message, words of the fix.
TYPICAL: dict[str, tuple[Files, str, str, str]] = {
    "typo in a key": (
        {OWN: "image:\n  constrant: ^1.0.0\n"},
        f"{OWN}:2:3",
        "image.constrant: unknown key",
        "did you mean constraint?",
    ),
    "bad semver": (
        {OWN: "image:\n  constraint: ^1.0.x.0\n"},
        f"{OWN}:2:15",
        '"^1.0.x.0" is not a semver constraint',
        "such as ^1.0.0, ~1.2.0, >=1.2.0 <3.0.0 or *",
    ),
    "missing values file": (
        {"services/nginx/values-prod.yaml": None},
        "services/nginx/values-prod.yaml",
        "the values file of stage prod is missing",
        "add it with image.tag",
    ),
    "unknown upstream": (
        {OWN: "stages:\n  prod:\n    upstream: [stagin]\n"},
        f"{OWN}:3:16",
        '"stagin" is not a stage of this service; it has dev, prod and staging',
        "did you mean staging?",
    ),
    "duplicate key": (
        {OWN: "image:\n  constraint: ^1.0.0\n  constraint: ^2.0.0\n"},
        f"{OWN}:3:3",
        'duplicate key "constraint"',
        "remove the duplicate",
    ),
    "wrong type": (
        {OWN: "stages:\n  prod:\n    upstream: staging\n"},
        f"{OWN}:3:15",
        'stages.prod.upstream: "staging" is a string, not a list',
        "write a list: [staging]",
    ),
    "tab": ({OWN: "image:\n\tconstraint: ^1.0.0\n"}, f"{OWN}:2:1", "a tab indents this line", "indent with spaces"),
    "uppercase folder": (
        service("Billing"),
        "services/Billing",
        '"Billing" is not a valid service name',
        "rename the folder to billing",
    ),
    "empty services": (
        {**NO_NGINX, "services/README.md": ""},
        "services",
        "no services: the folder has no subfolders",
        "create services/<service>/",
    ),
    "not UTF-8": (
        {OWN: "project:\n  description: Zürich\n".encode("latin-1")},
        f"{OWN}:2:17",
        "the file is not UTF-8 text",
        "save it as UTF-8",
    ),
    "folder in place of a file": (
        {f"{OWN}/x": ""},
        OWN,
        "cannot be read: Is a directory",
        "check that it is a file that you may read",
    ),
}


@pytest.mark.parametrize("name", TYPICAL)
def test_a_typical_mistake_gives_one_message_with_place_and_fix(tree: Tree, run: Run, name: str) -> None:
    files, place, message, fix = TYPICAL[name]
    tree(files)
    result = run("generate", "--output", "json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert result.status == 1
    assert (_place(finding), finding["severity"]) == (place, "error")
    assert message in finding["message"]
    assert fix in finding["message"] + finding["fix"]
    text = run("generate")
    assert (text.status, text.stdout.count(f"{place}: error ")) == (1, 1)
    assert "Traceback" not in text.stdout + text.stderr


def test_a_link_that_leads_nowhere_cannot_be_read(tree: Tree, run: Run) -> None:
    (tree({}) / OWN).symlink_to("nowhere")
    assert _said(run) == [(OWN, "KF001", "cannot be read: No such file or directory")]


# --- fleet.yaml ---


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("image: {registry: a.example.com\ngit: {}\n", "fleet.yaml:2:4", "not valid YAML"),
        ("- a\n", "fleet.yaml:1:1", "the document is not a mapping"),
        ("# Zürich".encode("latin-1"), "fleet.yaml:1:4", "not UTF-8"),
        ("<<<<<<< HEAD\nimage: {}\n=======\nimage: {}\n>>>>>>> main\n", "fleet.yaml:1:1", "merge conflict"),
        (FLEET + "groups: [web]\n", "fleet.yaml:3:1", 'groups: ["web"] is a list, not a mapping'),
        (FLEET + "groups: {web: null}\n", "fleet.yaml:3:15", "groups.web: null is empty, not a mapping"),
        (FLEET + "groups: {web: {values: {}}}\n", "fleet.yaml:3:10", "groups.web: services is required"),
        (FLEET + "groups: {web: {services: nginx}}\n", "fleet.yaml:3:26", '"nginx" is a string, not a list'),
        (FLEET + "values: {image: {constrant: x}}\n", "fleet.yaml:3:18", "values.image.constrant: unknown key"),
        (FLEET + "values: []\n", "fleet.yaml:3:1", "values: [] is a list, not a mapping"),
        (
            "{image: x, git: y, groups: {a: {services: [x]}}}\n",
            "fleet.yaml:1:9",
            'image: "x" is a string, not a mapping',
        ),
        (FLEET + "services: ./services/\n", "fleet.yaml:3:11", '"./services/" is not allowed'),
        (FLEET + "chart: {path: /charts}\n", "fleet.yaml:3:15", "there is no chart in /charts"),
        (FLEET + "prune: {maxShare: 10%}\n", "fleet.yaml:3:19", '"10%" is a string, not a number'),
    ],
)
def test_a_mistake_that_concerns_every_service_stops_everything(
    tree: Tree, run: Run, text: str | bytes, place: str, message: str
) -> None:
    root = tree({})
    run("generate")
    before = _texts(root)
    tree({"fleet.yaml": text} | service("api"))
    result = run("generate", "--output", "json")
    findings = json.loads(result.stdout)["findings"]
    assert (result.status, _place(findings[0])) == (1, place)
    assert message in findings[0]["message"]
    assert all(finding["file"] == "fleet.yaml" for finding in findings)
    assert _texts(root) == before
    assert run("generate").stderr == "nothing written\n"


@pytest.mark.parametrize("files", [{"fleet.yaml": None}, {"fleet.yaml": ""}, {"fleet.yaml": "image:\ngit:\n"}])
def test_a_fleet_without_settings_needs_two(tree: Tree, run: Run, files: Files) -> None:
    root = tree({**files, **service("api")})
    assert [place for place, *_ in _said(run)] == ["fleet.yaml", "fleet.yaml"]
    assert not (root / "argocd").exists()
    flags = ("--image-repository", "registry.example.com", "--git-repo-url", "https://git.example.com/platform.git")
    assert run("generate", *flags).status == 0
    assert "repoURL: registry.example.com/api\n" in (root / "values/api.yaml").read_text()


def test_a_link_in_place_of_fleet_yaml_is_not_a_missing_file(tree: Tree, run: Run) -> None:
    (tree({"fleet.yaml": None}) / "fleet.yaml").symlink_to("nowhere")
    assert _said(run) == [("fleet.yaml", "KF001", "cannot be read: No such file or directory")]


def test_fleet_yml_is_not_read(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": None, "fleet.yml": FLEET})
    assert ("fleet.yml", "KFW201", "this file is ignored") in _said(run)


def test_what_the_fleet_says_is_reported_once(tree: Tree, run: Run) -> None:
    values = "{service: {name: x}, image: {constraint: latest}, stages: {prod: {upstream: [stage]}}}"
    many = {path: text for name in ("api", "shop", "web") for path, text in service(name).items()}
    root = tree({"fleet.yaml": f"{FLEET}values: {values}\n", **many})
    result = run("generate")
    assert [code for _, code, _ in _said(run)] == ["KF204", "KF302", "KF301"]
    assert result.stderr == "4 services: 3 files created; 4 services with errors skipped\n"
    assert not (root / "values").exists()


def test_a_rule_that_the_fleet_breaks_for_every_stage_of_every_service_is_reported_once(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": f"{FLEET}values: {{promotion: {{path: services/<service>/x.yaml}}}}\n", **service("api")})
    assert [code for _, code, _ in _said(run)] == ["KF305"]


def test_every_service_without_an_image_is_told_which(tree: Tree, run: Run) -> None:
    """What is reported once per fleet must not swallow what only the second service lacks."""
    own = service("api", kargo="image: {repoURL: registry.example.com/api}\n")
    tree({"fleet.yaml": "", **own})
    assert [message.split(":")[0] for _, _, message in _said(run)] == ["git.repoURL", "image.repoURL"]


def test_a_broken_group_stops_its_own_services_only(tree: Tree, run: Run) -> None:
    groups = """groups:
  web: {services: [nginx, web], values: {image: {constrant: x}}}
  all: {services: ['*'], values: {shard: eu}}
"""
    root = tree({"fleet.yaml": FLEET + groups, **service("api"), **service("web")})
    assert _said(run) == [
        ("fleet.yaml:4:3", "KF205", "groups.web: is invalid; its services were skipped"),
        ("fleet.yaml:4:50", "KF101", "groups.web.values.image.constrant: unknown key"),
    ]
    assert [file.name for file in (root / "values").iterdir()] == ["api.yaml"]


def test_a_rule_that_a_group_breaks_points_into_the_group(tree: Tree, run: Run) -> None:
    groups = "groups:\n  web:\n    services: ['*']\n    values:\n      image: {constraint: latest}\n"
    tree({"fleet.yaml": FLEET + groups, **service("api")})
    assert [(place, code) for place, code, _ in _said(run)] == [("fleet.yaml:7:27", "KF302")]


def test_the_strongest_layer_is_to_blame(tree: Tree, run: Run) -> None:
    values = "values: {image: {constraint: latest}}\n"
    tree({"fleet.yaml": FLEET + values, **service("api", kargo="image:\n  constraint: newest\n"), **NO_NGINX})
    assert [place for place, *_ in _said(run)] == ["services/api/kargo.yaml:2:15"]


# --- kargo.yaml ---


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "~\n", "---\n", "\ufeff", "image:\nstages: {dev: null, staging: null}\n"]
)
def test_kargo_yaml_may_say_little(tree: Tree, run: Run, text: str) -> None:
    upstream = "stages: {dev: null, staging: null, prod: {upstream: null}}\n" if "stages" in text else text
    tree({OWN: upstream})
    assert _said(run) == []


def test_kargo_yml_is_not_read(tree: Tree, run: Run) -> None:
    tree({"services/nginx/kargo.yml": "shard: a\n", OWN: "shard: b\n"})
    result = run("generate", "--output", "json")
    (finding,) = json.loads(result.stdout)["findings"]
    assert (result.status, finding["code"], finding["fix"]) == (0, "KFW201", "move its content to kargo.yaml")


def test_a_merge_conflict_is_called_so(tree: Tree, run: Run) -> None:
    text = "image:\n<<<<<<< HEAD\n  constraint: ^1.0.0\n=======\n  constraint: ^2.0.0\n>>>>>>> main\n"
    tree({OWN: text})
    assert _said(run) == [(f"{OWN}:2:1", "KF002", "unresolved merge conflict")]


@pytest.mark.parametrize("name", ["other", "shared-resources"])
def test_kargo_yaml_cannot_claim_another_service(tree: Tree, run: Run, name: str) -> None:
    root = tree({OWN: f"service: {{name: {name}}}\n", **service("other")})
    assert [code for _, code, _ in _said(run)] == ["KF204"]
    assert not (root / "values/nginx.yaml").exists()


def test_a_stage_that_is_taken_out_may_leave_another_without_upstream(tree: Tree, run: Run) -> None:
    tree({OWN: "stages:\n  staging: null\n"})
    assert _said(run) == [
        (
            f"{OWN}:2:12",
            "KF301",
            'stages.prod.upstream[0]: "staging" is not a stage of this service; it has dev and prod',
        )
    ]


def test_an_added_stage_needs_its_values_file(tree: Tree, run: Run) -> None:
    tree({OWN: "stages:\n  qa: {upstream: [dev]}\n"})
    assert [place for place, *_ in _said(run)] == ["services/nginx/values-qa.yaml"]


def test_a_binding_says_all_that_it_lacks(tree: Tree, run: Run) -> None:
    tree({OWN: "rbac: {bindings: {team: {users: []}}}\n"})
    assert len(_said(run)) == 2


@pytest.mark.parametrize("file", ["fleet.yaml", OWN, "services/nginx/values-dev.yaml"])
def test_windows_line_ends_change_nothing(tree: Tree, run: Run, file: str) -> None:
    root = tree({OWN: "image:\n  constraint: ~1.0.0\n"})
    run("generate")
    (root / file).write_bytes((root / file).read_bytes().replace(b"\n", b"\r\n"))
    assert (run("check").status, run("check").stdout) == (0, "")


def test_a_mistake_behind_windows_line_ends_has_its_place(tree: Tree, run: Run) -> None:
    tree({OWN: "shard: a\r\nimage:\r\n  constrant: ^2.0.0\r\n"})
    assert [place for place, *_ in _said(run)] == [f"{OWN}:3:3"]


def _keys(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from _keys(value, (*above, key))


@pytest.mark.slow
def test_null_may_stand_anywhere(tree: Tree) -> None:
    """It takes away what the chart has there. What then is missing is said, and nothing falls over it."""
    root = tree({})
    more = {"rbac": {"bindings": {"team": {"role": "promoter", "stages": ["dev"], "groups": ["team"]}}}}
    for keys in _keys(read_chart(root, None).defaults):
        own: Any = None
        for key in reversed(keys):
            own = {key: own}
        for text in (json.dumps(own), json.dumps({**more, **own})):
            (root / OWN).write_text(text)
            codes = {finding.code for finding in desired_state(root).findings}
            named = {"KF204"} if keys in (("project",), ("project", "name")) else set()  # the platform names Projects
            assert codes - named <= {"KF104", "KF301", "KF306", "KF307", "KF351", "KF401", "KFW306"}, (text, codes)


# --- services/ ---


@pytest.mark.parametrize(("length", "code"), [(53, None), (54, "KFW202"), (57, "KFW202"), (58, "KF201")])
def test_the_project_name_must_fit(tree: Tree, run: Run, length: int, code: str | None) -> None:
    root = tree(service("a" * length))
    assert [found for _, found, _ in _said(run)] == ([code] if code else [])
    assert (root / f"values/{'a' * length}.yaml").exists() == (code != "KF201")


def test_hidden_folders_private_ones_and_files_are_no_services(tree: Tree, run: Run) -> None:
    root = tree({**service(".github"), **service("_template"), "services/README.md": ""})
    (root / "services/gone").symlink_to("nowhere")
    assert _said(run) == []
    assert [file.name for file in (root / "values").iterdir()] == ["nginx.yaml"]


@pytest.mark.parametrize("name", [b"\xff", b"a\nb", b"a b", "ü".encode(), b"%0A::error::"])
def test_a_folder_may_have_any_name(tree: Tree, command: Command, name: bytes) -> None:
    root = os.fsencode(tree({}))
    os.mkdir(root + b"/services/" + name)
    found = json.loads(command("generate", "--output", "json").stdout)["findings"]
    assert [finding["code"] for finding in found] == ["KF201"]
    (line,) = command("generate", "--output", "github").stdout.splitlines()
    assert line.startswith("::error file=services/")


def test_a_moved_services_folder_makes_no_orphans(tree: Tree, run: Run) -> None:
    root = tree({})
    run("generate")
    shutil.move(root / "services", root / "apps")
    assert [code for _, code, _ in _said(run)] == ["KF203"]
    assert [code for _, code, _ in _said(run, "generate", "--prune")] == ["KF203", "KF504"]
    assert (root / "values/nginx.yaml").exists()


# --- What is there already ---


def test_what_stands_in_place_of_a_values_file_concerns_that_service_only(tree: Tree, run: Run) -> None:
    root = tree({"values/nginx.yaml/x": "", **service("api")})
    assert [place for place, *_ in _said(run)] == ["values/nginx.yaml"]
    assert (root / "values/api.yaml").exists()


@pytest.mark.parametrize("text", ["stages: foo\n", "stages: null\n", "stages: {dev: {upstream: 5}}\n", "[", "\xff"])
def test_a_broken_service_with_a_broken_values_file(tree: Tree, run: Run, text: str) -> None:
    """argocd/ goes by what a broken service had last, whatever that is."""
    tree({"values/nginx.yaml": text.encode("latin-1"), OWN: "imge: {}\n"})
    assert [code for _, code, _ in _said(run)] == ["KF101"]


def test_argocd_is_left_alone_when_its_settings_are_wrong(tree: Tree, run: Run) -> None:
    root = tree({})
    run("generate")
    before = (root / "argocd/units.yaml").read_text()
    tree({"fleet.yaml": FLEET + "argocd: {workloads: {enabled: true}, units: {name: other}}\n"})
    assert [code for _, code, _ in _said(run)] == ["KF601", "KF602"]
    assert (root / "argocd/units.yaml").read_text() == before


# --- check itself ---


def test_check_writes_nothing(tree: Tree, run: Run) -> None:
    root = tree({OWN: "shard: a\n"})
    result = run("check")
    assert (result.status, _texts(root)) == (1, {})
    assert result.stdout.splitlines()[::2] == [
        f"{file}: error KF501: is missing"
        for file in (
            "argocd/appproject.yaml",
            "argocd/patches/argocd-cm.yaml",
            "argocd/units.yaml",
            "values/nginx.yaml",
        )
    ]
    assert result.stderr == "1 service: 4 errors, 0 warnings\n"


def test_check_is_quiet_when_all_is_well(tree: Tree, run: Run) -> None:
    tree({})
    run("generate")
    assert run("check") == (0, "", "1 service: 0 errors, 0 warnings\n")


def test_warnings_do_not_fail(tree: Tree, run: Run) -> None:
    tree({OWN: "image: {constraint: ^0.0.0}\n"})
    run("generate")
    assert run("check").status == 0


def test_check_of_one_service_leaves_the_others_out(tree: Tree, run: Run) -> None:
    tree({OWN: "imge: {}\n", **service("api")})
    assert run("generate", "api").status == 0
    assert run("check", "api") == (0, "", "1 service: 0 errors, 0 warnings\n")
    assert run("check", "nginx").status == 1


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text + "shard: a\n", "was edited by hand"),
        (lambda _: "shard: a\n", "was not generated by kargo-fleet"),
        (lambda text: text.replace("checksum", "Checksum"), "was not generated by kargo-fleet"),
    ],
)
def test_check_reports_edits(tree: Tree, run: Run, edit: Callable[[str], str], message: str) -> None:
    file = tree({}) / "values/nginx.yaml"
    run("generate")
    file.write_text(edit(file.read_text()))
    assert _said(run, "check") == [("values/nginx.yaml", "KF502", message)]


def _said(run: Run, *arguments: str) -> list[tuple[str, str, str]]:
    """Return place, code and message of what a command, by default `generate`, says."""
    findings = json.loads(run(*arguments or ("generate",), "--output", "json").stdout)["findings"]
    return [(_place(finding), finding["code"], finding["message"]) for finding in findings]


def _place(finding: dict[str, Any]) -> str:
    return str(Place(finding["file"], finding["line"], finding["column"]))


def _texts(root: Path) -> dict[str, bytes]:
    """Return what was generated."""
    files = [path for folder in ("values", "argocd") for path in (root / folder).rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


STEPS = """\
promotion:
  steps:
    after:
      - uses: argocd-update
        config:
          apps:
            - name: a-dev
              sources:
                - repoUrl: https://github.com/example/gitops.git
                  desiredRevison: x
      - uses: http
        config: {method: POST}
      - uses: kustomize-set-image
        config: {path: ./src, images: [{image: a, tag: 1.10}]}
      - uses: scan
        config: {image: 5}
"""
CUSTOM = "customSteps: {scan: {config: {properties: {image: {type: string}}}}, sign: {}}\n"


def test_mistakes_in_the_config_of_steps_have_places_and_fixes(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": FLEET + CUSTOM, "services/nginx/kargo.yaml": STEPS})
    text = run("check").stdout
    for line, fix in [
        ("9:19: error KF311: stages.dev.promotion.steps.after[0].config.apps[0].sources[0].repoUrl", "repoURL?"),
        (
            "10:19: error KF311: stages.dev.promotion.steps.after[0].config.apps[0].sources[0].desiredRevison",
            "Revision?",
        ),
        ("12:9: error KF311: stages.dev.promotion.steps.after[1].config: url is required", "add url"),
        ("14:56: error KF311: stages.dev.promotion.steps.after[2].config.images[0].tag: 1.1 is a number", "quote it"),
        ("16:25: error KF311: stages.dev.promotion.steps.after[3].config.image: 5 is a number", 'quote it: "5"'),
    ]:
        message, _, rest = text.partition(f"services/nginx/kargo.yaml:{line}")[2].partition("fix: ")
        assert message, line
        assert fix in rest.splitlines()[0]


def test_a_unit_lists_the_custom_steps_that_it_uses(tree: Tree, run: Run) -> None:
    steps = "promotion: {steps: {after: [{uses: sign}]}}\n"
    root = tree({"fleet.yaml": FLEET + CUSTOM, "services/nginx/kargo.yaml": steps, **service("redis")})
    assert run("generate").status == 0
    assert "customSteps: [sign]" in (root / "values/nginx.yaml").read_text()
    assert "customSteps" not in (root / "values/redis.yaml").read_text()


@pytest.mark.parametrize("schema", ["{type: nothing}", "{$ref: 'https://example.com/schema.json'}"])
def test_the_schema_of_a_custom_step_must_be_one(tree: Tree, run: Run, schema: str) -> None:
    tree({"fleet.yaml": f"{FLEET}customSteps: {{scan: {{config: {schema}}}}}\n"})
    result = run("check")
    assert result.status == 1
    assert "fleet.yaml:3:22: error KF103: customSteps.scan.config: is not a JSON Schema" in result.stdout
