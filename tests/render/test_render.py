"""kargo-fleet render: the same bytes as `helm template`, for each unit, in a batch or alone."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import helm
import samples
from bench import fleet as bench
from conftest import Run, Tree, service
from contract import upstream
from kargo_fleet.cli.main import main
from kargo_fleet.clients.helm import Helm
from kargo_fleet.errors import FleetError
from kargo_fleet.files import generated
from kargo_fleet.fleet.chart import Chart, read_chart
from kargo_fleet.fleet.names import release_name
from kargo_fleet.render import crds, documents, renderer
from kargo_fleet.render.renderer import RenderedUnit
from kargo_fleet.text import yaml_manifests

CI = sorted((helm.CHART / "ci").glob("*-values.yaml"))
SAMPLES = samples.VALUES
IDENTITY = "image: {repoURL: example.com/x}\ngit: {repoURL: https://git.example.com/x.git}\n"
MANY = [f"web-{number:02}" for number in range(24)]
MORE = [f"more-{number:02}" for number in range(40)]


def as_generated(values: str) -> str:
    """Return an unedited values file, which is rendered in a batch."""
    return generated.render(["Generated."], values)


def plain(*names: str) -> dict[str, str]:
    return {name: as_generated(f"service: {{name: {name}}}\n{IDENTITY}") for name in names}


@pytest.fixture
def chart() -> Chart:
    return read_chart(helm.ROOT, None)


@pytest.fixture
def own_chart(tmp_path: Path) -> Callable[[Mapping[str, str]], Chart]:
    """`own_chart({path: text})` copies the chart and adds these files."""

    def build(files: Mapping[str, str]) -> Chart:
        folder = tmp_path / "charts/kargo-service"
        shutil.copytree(helm.CHART, folder, ignore=shutil.ignore_patterns("ci", "tests"), dirs_exist_ok=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return read_chart(tmp_path, None)

    return build


@pytest.fixture
def by_themselves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services that were rendered by `helm template` alone, in any order."""
    names: list[str] = []
    alone = renderer._Engine.alone

    def spy(self: renderer._Engine, name: str, text: str) -> RenderedUnit:
        names.append(name)
        return alone(self, name, text)

    monkeypatch.setattr(renderer._Engine, "alone", spy)
    return names


def open_schema(*keys: str) -> str:
    """Return the chart's schema with anything allowed in these keys."""
    schema = read_chart(helm.ROOT, None).schema
    return json.dumps(schema | {"properties": schema["properties"] | {key: {} for key in keys}})


def expected(chart: Chart, name: str, text: str, folder: Path) -> str:
    """Return the output of `helm template`."""
    file = folder / f"{name}.values"
    file.write_bytes(text.encode())
    result = helm.template(release_name(name), chart.path, file)
    assert result.returncode == 0, result.stderr
    return result.stdout


def assert_identical(chart: Chart, units: dict[str, str], names: list[str], folder: Path) -> None:
    found = {one.service: one for one in renderer.render(chart, units)}
    assert list(found) == list(units)
    assert [one for one in found.values() if one.problems] == []
    for name in names:
        assert found[name].text == expected(chart, name, units[name], folder), name


# -- The same as helm template -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_samples_and_scenarios_in_a_batch(chart: Chart, tmp_path: Path, by_themselves: list[str]) -> None:
    units = {file.stem: file.read_text() for file in SAMPLES}
    units |= {file.stem: as_generated(file.read_text()) for file in CI}
    assert len(units) > 30
    assert_identical(chart, units, list(units), tmp_path)
    assert len(by_themselves) == 1  # to test whether the chart can be rendered in batches


@pytest.mark.slow
def test_a_fleet_in_batches(tmp_path: Path, by_themselves: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = tmp_path / "fleet"
    bench.write(fleet, 300, 1)
    assert main(["-C", str(fleet), "generate"]) == 0
    monkeypatch.setattr(renderer, "_SIZE", 70)
    units = {file.stem: file.read_text() for file in sorted((fleet / "values").glob("*.yaml"))}
    assert len(units) == 300
    assert_identical(read_chart(fleet, None), units, list(units)[::12], tmp_path)
    assert len(by_themselves) == 1


ODD = as_generated(
    f"""{IDENTITY}\
promotion:
  steps:
    before:
      - uses: http
        config:
          numbers: [1, 1.0, 0.1, 1e10, 123456789012, 9007199254740991, -3, 1.5e-7, 0, 1000000]
          words: ["yes", "null", "017", "1.10", "", " ", "~", "a: b", "<no value>", "<&>", "#", "---"]
          text: "ünïcode \\u00e9 💥 tab\\tline\\nnext\\n"
          nothing: [null, true, false, {{}}, []]
          map: {{a: null, b: {{c: null}}}}
stages:
  staging: null
  prod: {{upstream: [dev], description: "--- a\\n---\\nb", vars: {{a: "1.10", b: "true"}}}}
"""
)


@pytest.mark.slow
def test_odd_values_keep_their_types(chart: Chart, tmp_path: Path, by_themselves: list[str]) -> None:
    units = plain(*MANY) | {"odd": ODD}
    assert_identical(chart, units, ["odd", MANY[0]], tmp_path)
    assert set(by_themselves) == {"odd"}  # once, as the unit with the longest values file
    assert len(by_themselves) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        ODD.replace("description: ", 'color: "#57d9aa", description: '),
        ODD.replace("\n", "\r\n"),
        "\ufeff" + ODD,
        as_generated(
            f"{IDENTITY}promotion: {{steps: {{before: [{{uses: http, config: {{n: 90071992547409931}}}}]}}}}\n"
        ),
        as_generated(f"{IDENTITY}stages: {{canary: null}}\n"),
        f"{IDENTITY}image: {{repoURL: example.com/twice}}\n",
        f"{IDENTITY}image: {{repoURL: example.com/x, cacheByTag: on}}\n",
        f"{IDENTITY}---\nshard: second\n",
        f"{IDENTITY}commonLabels: {{<<: {{a: b}}}}\n",
    ],
    ids=["edited", "crlf", "bom", "large", "null", "twice", "yaml-1.1", "documents", "merge-key"],
)
def test_what_only_helm_can_read(chart: Chart, tmp_path: Path, by_themselves: list[str], text: str) -> None:
    assert_identical(chart, plain(*MANY) | {"odd": text}, ["odd"], tmp_path)
    assert by_themselves.count("odd") == 1
    assert len(by_themselves) == 2  # with the unit that tests the batch


WILD = """\
# Helm looks for the kind behind comments, too.
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-wild
  annotations: {a: 1, b: yes}
data:
  template: {{ .Template.Name }} {{ .Template.BasePath }} {{ .Release.Namespace }} {{ .Chart.Version }} {{ .Release.Service }}
  file: {{ .Files.Get "own.txt" | quote }}
  files: {{ range $path, $_ := .Files.Glob "**" }}{{ $path }} {{ end }}
  other: {{ include (print .Template.BasePath "/sub/other.yaml") . | sha256sum }}
  tpl: {{ tpl "{{ .Values.service.name }}" . }}
  nothing: "{{ .Values.nosuch }}<no value>"
  helper: {{ include "twice" . }}
  kind: {{ typeOf .Values }} {{ typeOf .Values.stages }} {{ .Values.AsMap | len }} {{ .Release.IsInstall }} {{ .Release.Revision }}
  changed: {{ $_ := set .Values "changed" .Template.Name }}{{ .Values.changed }}
---{{ "  " }}
---{{ " " }}

# only a comment
---
kind: Zebra
metadata: {name: z}
---
kind: Aardvark
---
apiVersion: batch/v1
kind: Job
metadata:
  name: first
  annotations:
    "helm.sh/hook": pre-install, POST-install
    "helm.sh/hook-weight": "3"
---
apiVersion: v1
kind: Secret
metadata: {name: hooked, annotations: {helm.sh/hook: test}}
---
apiVersion: v1
kind: Pod
metadata: {name: never, annotations: {helm.sh/hook: no-such-hook}}
"""
WILD_FILES = {
    "templates/wild.yaml": WILD,
    "templates/sub/other.yaml": 'apiVersion: v1\nkind: Service\nmetadata:\n  name: "other"\n'
    'data: {changed: "{{ .Values.changed }}"}\n{{- define "twice" }}other{{ end }}\n',
    "templates/zz.tpl": '{{- define "twice" }}zz{{ end }}\n',
    "templates/_a.tpl": '{{- define "twice" }}a{{ end }}\n',
    "templates/wild.yaml.orig": "kind: Ignored\n",
    "templates/ignored.yaml": "kind: Ignored\n",
    "own.txt": "mine",
    ".helmignore": "*.orig\nignored.yaml\n",
}


@pytest.mark.slow
def test_a_chart_that_uses_everything(
    own_chart: Callable[[Mapping[str, str]], Chart], tmp_path: Path, by_themselves: list[str]
) -> None:
    chart = own_chart(WILD_FILES)
    assert_identical(chart, plain(*MANY), MANY[:4], tmp_path)
    printed = expected(chart, MANY[0], plain(*MANY)[MANY[0]], tmp_path)
    for word in ("Aardvark", "pre-install", "mine", "kind: common.Values", "# only a comment", "helper: "):
        assert word in printed
    assert "Ignored" not in printed
    assert "no-such-hook" not in printed
    assert len(by_themselves) == 1


@pytest.mark.slow
def test_defaults_are_read_as_helm_reads_them(
    own_chart: Callable[[Mapping[str, str]], Chart], tmp_path: Path, by_themselves: list[str]
) -> None:
    defaults = (helm.CHART / "values.yaml").read_text()
    more = '\ncommonLabels: {a: "1", b: null}\nprojectConfig: {extra: {on: yes, octal: 017, no: ~}}\n'
    chart = own_chart(
        {
            "values.yaml": defaults.replace("\ncommonLabels: {}\n", "\n").replace("\nprojectConfig:\n", "\nold:\n")
            + more,
            "values.schema.json": open_schema("projectConfig", "old"),
            "templates/values.yaml": "kind: X\nvalues: {{ toJson .Values }}\n",
        }
    )
    assert_identical(chart, plain(*MANY), MANY[:2], tmp_path)
    assert '"octal":15' in expected(chart, "web", plain("web")["web"], tmp_path)
    assert len(by_themselves) == 1


@pytest.mark.slow
def test_a_chart_with_subcharts_is_rendered_one_by_one(
    own_chart: Callable[[Mapping[str, str]], Chart], tmp_path: Path, by_themselves: list[str]
) -> None:
    files = {
        "charts/sub/Chart.yaml": "{apiVersion: v2, name: sub, version: 0.1.0}\n",
        "charts/sub/templates/x.yaml": '{{ if eq .Release.Name "web-03" }}kind: X{{ end }}\n',
        "values.schema.json": open_schema("sub"),
    }
    assert_identical(own_chart(files), plain(*MANY), MANY[2:4], tmp_path)
    assert set(by_themselves) == set(MANY)


@pytest.mark.slow
def test_a_chart_that_is_never_the_same_is_not_rendered_in_batches(
    own_chart: Callable[[Mapping[str, str]], Chart], by_themselves: list[str]
) -> None:
    chart = own_chart({"templates/x.yaml": "kind: X\nid: {{ uuidv4 }}\n"})
    notes: list[str] = []
    found = list(renderer.render(chart, plain(*MANY), note=notes.append))
    assert all("kind: X" in one.text for one in found)
    assert set(by_themselves) == set(MANY)
    assert len(notes) == 1


def test_the_order_is_helms() -> None:
    kinds = ["Zebra", "Stage", "ConfigMap", "Namespace", "Aardvark", "Stage"]
    texts = {"c/t/b.yaml": "".join(f"---\nkind: {kind}\nnumber: {place}\n" for place, kind in enumerate(kinds))}
    printed = documents.printed(texts | {"c/t/a.yaml": "\n---\n", "c/t/a/b.yaml": "kind: Stage\nnumber: 6"})
    found = [line.split()[1] for line in printed.splitlines() if line.startswith("number")]
    assert found == ["3", "2", "4", "6", "1", "5", "0"]


# -- One that is broken ------------------------------------------------------------------------------------------------

CANNOT_WORK = as_generated(f"{IDENTITY}stages:\n  prod: {{upstream: [nope]}}\n")
REFUSED = as_generated(f"{IDENTITY}stages:\n  prod:\n    requiredSoaktime: 1h\n")


@pytest.mark.slow
def test_a_broken_unit_stops_no_other(chart: Chart, tmp_path: Path, by_themselves: list[str]) -> None:
    units = plain(*MANY, *MORE) | {"aaa": CANNOT_WORK, "web-05": CANNOT_WORK, "zzz": REFUSED}
    found = {one.service: one for one in renderer.render(chart, units)}
    assert {name for name, one in found.items() if one.problems} == {"aaa", "web-05", "zzz"}
    assert len(by_themselves) < len(units)
    for name in ("web-04", "web-06", "web-23"):
        assert found[name].text == expected(chart, name, units[name], tmp_path)
    (problem,) = found["web-05"].problems
    assert problem.message == (
        'these values cannot work:\n  stages.prod.upstream[0]: "nope" is not a stage of this service; '
        "it has dev, prod and staging"
    )
    (problem,) = found["zzz"].problems
    assert problem.message == "stages.prod.requiredSoaktime: unknown key"
    assert "requiredSoakTime" in problem.fix
    assert problem.position == (7, 5)
    assert found["zzz"].text == ""


def test_what_the_schema_refuses_has_a_place(chart: Chart) -> None:
    alone = {"a": REFUSED, "b": f"shard: [\n{IDENTITY}", "c": f"{IDENTITY}shard: on\n"}
    together = list(renderer.render(chart, plain(*MANY) | {"a": REFUSED}))[-1]
    one, broken, helms = renderer.render(chart, alone)
    assert one.problems == together.problems
    assert broken.problems[0].message.startswith("failed to parse values/b.yaml")
    assert "at '/shard': got boolean" in helms.problems[0].message  # Helm reads another value, so its message stays


@pytest.mark.slow
def test_the_notes_count(own_chart: Callable[[Mapping[str, str]], Chart]) -> None:
    chart = own_chart({"templates/NOTES.txt": '{{ if eq .Release.Name "web-03" }}{{ fail "no notes" }}{{ end }}noted'})
    found = {one.service: one for one in renderer.render(chart, plain(*MANY))}
    assert [(name, one.problems[0].message) for name, one in found.items() if one.problems] == [("web-03", "no notes")]
    assert "noted" not in found["web-04"].text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('kind: X\nkey: "{{ .Release.Name }}', "YAML parse error on kargo-service/templates/x.yaml"),
        (
            "apiVersion: v1\nkind: X\nmetadata:\n  name: x\nspec: [",
            "YAML parse error on kargo-service/templates/x.yaml",
        ),
        ("kind: X\nmetadata: {annotations: {a: {b: c}}}", "YAML parse error on kargo-service/templates/x.yaml"),
        ("kind: {{ .Release.Name.nosuch }}", "can't evaluate field nosuch"),
    ],
)
def test_what_a_chart_renders_must_be_yaml(
    own_chart: Callable[[Mapping[str, str]], Chart], tmp_path: Path, document: str, message: str
) -> None:
    text = '{{ if eq .Release.Name "web-03" }}' + document + "{{ end }}\n"
    chart = own_chart({"templates/x.yaml": text})
    found = {one.service: one for one in renderer.render(chart, plain(*MANY))}
    (broken,) = [one for one in found.values() if one.problems]
    assert broken.service == "web-03"
    assert message in broken.problems[0].message
    assert "Use --debug" not in broken.problems[0].message
    assert found["web-04"].text == expected(chart, "web-04", plain("web-04")["web-04"], tmp_path)


def test_a_chart_that_helm_cannot_read(own_chart: Callable[[Mapping[str, str]], Chart]) -> None:
    chart = own_chart({"Chart.yaml": "apiVersion: v2\nname: kargo-service\nversion: none\n"})
    with pytest.raises(FleetError, match="Helm cannot use the chart"):
        next(renderer.render(chart, plain(*MANY)))


def test_a_schema_that_is_none(own_chart: Callable[[Mapping[str, str]], Chart]) -> None:
    schema = json.loads(open_schema()) | {"type": "nosuch"}
    chart = own_chart({"values.schema.json": json.dumps(schema)})
    with pytest.raises(FleetError, match=r"values.schema.json is not a valid JSON Schema"):
        list(renderer.render(chart, plain(*MANY)))


def test_a_disk_that_is_full(chart: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    run_helm = Helm.run

    def run(self: Helm, *arguments: str, folder: Path) -> bytes:
        printed = run_helm(self, *arguments, folder=folder)
        for archive in folder.glob("*.tgz"):
            archive.write_bytes(archive.read_bytes()[:5000])
        return printed

    monkeypatch.setattr(Helm, "run", run)
    with pytest.raises(FleetError, match="is the disk full"):
        list(renderer.render(chart, plain(*MANY)))


@pytest.mark.slow
def test_nothing_is_left_behind(chart: Chart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(renderer, "_SIZE", 10)
    results = renderer.render(chart, plain(*MANY))
    next(results)
    assert [path.name[:21] for path in tmp_path.iterdir()] == [".kargo-fleet-scratch-"]
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert list(tmp_path.iterdir()) == []


# -- The command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def fleet(tree: Tree, run: Run) -> Path:
    """A fleet of a few services, generated."""
    root = tree(service("api") | service("web"))
    assert run("generate").status == 0
    return root


def test_manifests_are_printed_and_nothing_else(fleet: Path, run: Run, chart: Chart, tmp_path: Path) -> None:
    (fleet / "values/nginx.yaml").unlink()
    result = run("render")
    texts = {name: (fleet / f"values/{name}.yaml").read_text() for name in ("api", "web")}
    assert result.stdout == "".join(expected(chart, name, text, tmp_path) for name, text in texts.items())
    assert result.status == 1
    assert "values/nginx.yaml: error KF803: nginx was not rendered: it has no values file" in result.stderr
    assert "3 services: 2 rendered, 1 failed" in result.stderr


def test_named_services_come_sorted_and_once(fleet: Path, run: Run) -> None:
    result = run("render", "web", "api", "web")
    assert result.status == 0
    assert [line for line in result.stdout.splitlines() if line == "kind: Project"] == ["kind: Project"] * 2
    assert result.stdout.index("kargo-api") < result.stdout.index("kargo-web")
    assert fleet.is_dir()


def test_json(fleet: Path, run: Run) -> None:
    (fleet / "values/nginx.yaml").unlink()
    result = run("render", "--output", "json")
    data = json.loads(result.stdout)
    assert list(data) == ["manifests", "findings", "changes"]
    assert {name: text[:4] for name, text in data["manifests"].items()} == {"api": "---\n", "web": "---\n"}
    assert [item["code"] for item in data["findings"]] == ["KF803"]
    none = run("render", "nginx", "--output", "json")
    assert json.loads(none.stdout)["manifests"] == {}


@pytest.mark.slow
def test_a_folder_of_manifests(fleet: Path, run: Run) -> None:
    first = run("render", "--output-dir", "rendered")
    assert first.status == 0
    assert first.stdout.splitlines() == [f"created  rendered/{name}.yaml" for name in ("api", "nginx", "web")]
    folder = fleet / "rendered"
    assert (folder / "web.yaml").read_text() == run("render", "web").stdout
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    second = run("render", "--output-dir", "rendered")
    assert (second.status, second.stdout) == (0, "")
    assert "0 files written" in second.stderr
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    (folder / "web.yaml").write_text("old")
    changes = json.loads(run("render", "--output-dir", "rendered", "--output", "json").stdout)["changes"]
    assert changes == [{"action": "updated", "path": "rendered/web.yaml"}]


def test_a_failure_keeps_the_last_good_file(fleet: Path, run: Run) -> None:
    run("render", "--output-dir", "rendered")
    before = (fleet / "rendered/web.yaml").read_text()
    (fleet / "values/web.yaml").write_text("image: [\n")
    result = run("render", "--output-dir", "rendered")
    assert result.status == 1
    assert "KF803: web was not rendered: failed to parse values/web.yaml" in result.stdout
    assert (fleet / "rendered/web.yaml").read_text() == before


def test_manifests_of_services_that_are_gone_are_reported(fleet: Path, run: Run) -> None:
    run("render", "--output-dir", "rendered")
    shutil.rmtree(fleet / "services/web")
    (fleet / "rendered/kustomization.yaml").write_text("resources: [api.yaml]\n")
    result = run("render", "--output-dir", "rendered")
    assert result.status == 0
    assert result.stdout.startswith("rendered/web.yaml: warning KFW801: service web no longer exists")
    assert "kustomization" not in result.stdout
    assert (fleet / "rendered/web.yaml").exists()
    assert "KFW801" not in run("render", "api", "--output-dir", "rendered").stdout


@pytest.mark.parametrize("folder", ["values", ".", "services/api", "argocd", "values/deep"])
def test_folders_of_other_files_are_refused(fleet: Path, run: Run, folder: str) -> None:
    before = (fleet / "values/api.yaml").read_bytes()
    result = run("render", "--output-dir", folder)
    assert result.status == 2
    assert "choose another folder" in result.stderr
    assert (fleet / "values/api.yaml").read_bytes() == before


def test_wrong_names_and_environments(fleet: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no service 'ngnix' in services/; did you mean nginx?" in run("render", "ngnix").stderr
    assert run("render", "ngnix", "../api").status == 2
    (fleet / "taken").write_text("")
    result = run("render", "--output-dir", "taken")
    assert (result.status, result.stdout) == (2, "")
    assert "--output-dir taken: this is a file; choose a folder" in result.stderr
    monkeypatch.setenv("PATH", "/nowhere")
    result = run("render", "nginx")
    assert (result.status, result.stdout) == (2, "")
    assert "make tools" in result.stderr


def test_values_that_are_no_text(fleet: Path, run: Run) -> None:
    (fleet / "values/web.yaml").write_bytes(b"shard: \xff\n")
    (fleet / "values/api.yaml").unlink()
    (fleet / "values/api.yaml").mkdir()
    result = run("render", "--output", "json")
    findings = {item["service"]: item["message"] for item in json.loads(result.stdout)["findings"]}
    assert findings.keys() == {"api", "web"}
    assert "cannot be read" in findings["api"]
    assert "failed to parse values/web.yaml" in findings["web"]


# -- Kargo's CRDs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crds_folder() -> Path:
    return upstream.module(upstream.KARGO) / "charts/kargo/resources/crds"


@pytest.fixture(scope="module")
def kinds(crds_folder: Path) -> crds.KargoKinds:
    return crds.find(Path(), str(crds_folder))


@pytest.mark.slow
def test_everything_sound_fits(chart: Chart, kinds: crds.KargoKinds) -> None:
    units = {file.stem: file.read_text() for file in SAMPLES}
    units |= {file.stem: as_generated(file.read_text()) for file in CI}
    assert {one.service: kinds.problems(one.text) for one in renderer.render(chart, units)} == {
        name: [] for name in units
    }


STAGE = """\
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata: {name: dev, labels: {a: b}}
spec:
  requestedFreight:
    - origin: {kind: Warehouse, name: web}
      sources: {direct: true}
  promotionTemplate:
    spec:
      steps:
        - uses: http
          config: {anything: [goes]}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("spec:\n  req", "spec:\n  colour: red\n  req", "spec.colour: unknown key"),
        ("direct: true", "direct: sure", 'direct: "sure" is a string, not a boolean (true or false)'),
        ("direct: true", "direct: yes", None),  # a boolean in YAML 1.1, and in Kubernetes
        ("name: web", "name: 5", "name: 5 is a number, not a string"),
        ("kind: Warehouse", "kind: Wherehouse", "kind: "),
        ("uses: http", "used: http", "used: unknown key"),
        ("labels: {a: b}", "labels: {a: yes}", "metadata.labels.a: true is a boolean, not a string"),
        ("metadata: {name: dev", "metadata: {name: dev, colour: red", "metadata.colour: unknown key"),
        ("kind: Stage", "kind: Stag", "Kargo has no kind Stag"),
        ("v1alpha1", "v1", "Kargo has no kind Stage in kargo.akuity.io/v1"),
        ("spec:\n  req", "status: {}\nspec:\n  req", "status: unknown key"),
        ("kargo.akuity.io/v1alpha1", "example.com/v1", None),
        ("anything", "everything", None),
    ],
)
def test_invalid_manifests_are_reported(kinds: crds.KargoKinds, old: str, new: str, message: str | None) -> None:
    assert old in STAGE
    found = kinds.problems("---\nkind: Other\n---\n" + STAGE.replace(old, new, 1))
    if message is None:
        assert found == []
    else:
        assert any(message in one.message for one in found), found
        assert all(one.fix for one in found)
        assert all(one.message.startswith(("Stage dev: ", "Stag dev: ")) for one in found)


@pytest.mark.slow
def test_a_chart_that_does_not_fit(
    fleet: Path, run: Run, own_chart: Callable[[Mapping[str, str]], Chart], crds_folder: Path
) -> None:
    options = ("--output-dir", "rendered", "--validate", "--crds", str(crds_folder))
    assert run("render", *options).status == 0
    before = (fleet / "rendered/web.yaml").read_bytes()
    stages = (helm.CHART / "templates/warehouses.yaml").read_text()
    own_chart({"templates/warehouses.yaml": stages.replace("  interval:", "  intervall:")})
    result = run("render", *options)
    assert result.status == 1
    assert (
        "values/api.yaml: error KF804: Warehouse api: spec.intervall: unknown key (also in 2 other services)\n"
        "    fix: did you mean interval?\n"
    ) in result.stdout
    assert result.stdout.count("intervall") == 1
    assert "3 services: 0 rendered, 3 failed" in result.stderr
    assert (fleet / "rendered/web.yaml").read_bytes() == before
    assert run("render").status == 0


def test_where_crds_come_from(
    fleet: Path, run: Run, crds_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "helm").symlink_to(shutil.which("helm") or "")
    cat = shutil.which("cat")
    monkeypatch.setenv("PATH", str(bin_folder))
    result = run("render", "--validate")
    assert result.status == 2
    assert "make render VALIDATE=1" in result.stderr
    assert "--crds" in result.stderr
    kubectl = bin_folder / "kubectl"
    crd_list = {
        "kind": "List",
        "items": [yaml_manifests.parse(file.read_text())[0] for file in crds_folder.glob("*.yaml")],
    }
    (tmp_path / "crds.json").write_text(json.dumps(crd_list))
    kubectl.write_text(f"#!/bin/sh\nexec {cat} {tmp_path}/crds.json\n")
    kubectl.chmod(0o755)
    assert run("render", "--validate").status == 0
    shutil.copytree(crds_folder, fleet / crds.FETCHED)
    kubectl.unlink()
    assert run("render", "--validate").status == 0
    (fleet / "empty").mkdir()
    assert "there is no CRD of Kargo in empty" in run("render", "--validate", "--crds", "empty").stderr
    assert run("render", "--validate", "--crds", "nosuch").status == 2
    assert run("render", "--crds", "empty").status == 2


SCALARS = """
~ null Null NULL nUll y Y yes Yes YES yEs n no on off ON true True TRUE tRUE false
0 1 -1 +1 017 0o17 0x1F 0b101 1_000 08 1.0 1. .5 1e3 1E3 1e+3 1e-3 +1.5 -0 -0.0 _1 1_ 0x 12:30 1.2.3 v1 1a 5m
9007199254740991 2026-11-23 - 0.1.0 1e 1__0
""".split()


def scalars() -> Iterator[str]:
    yield from (scalar for scalar in SCALARS if scalar != "-")
    yield from (f"'{scalar}'" for scalar in SCALARS[:8])


def test_scalars_are_read_as_kubernetes_reads_them(tmp_path: Path) -> None:
    text = "".join(f"k{number}: {scalar}\n" for number, scalar in enumerate(scalars())) + "a: &a {x: [1]}\nb: *a\n"
    seen = helm.values_of(tmp_path / "probe", "{}\n", f"all:\n  list: [{{{', '.join(text.splitlines())}}}]\n")
    (found,) = yaml_manifests.parse(text)
    assert found == seen["all"]["list"][0]
    assert [type(value) is bool for value in found.values()] == [
        type(seen["all"]["list"][0][key]) is bool for key in found
    ]
