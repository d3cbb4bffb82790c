"""Which Kargo controller handles which service: in the values files, and in sets that follow the shards."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from argocd_checkout import FLEET as PLATFORM
from argocd_checkout import USUAL, Checkout, needs_argocd, parsed, set_names
from conftest import FLEET, Run, Tree, service
from contract import upstream
from kargo_fleet.argocd import manifests as argocd_files
from kargo_fleet.argocd.shares import NO_SHARD, shares
from kargo_fleet.fleet.shards import Shard, assign
from properties import examples

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
fleets = st.sets(labels, max_size=60)
weighted = st.dictionaries(labels, st.integers(0, 5), min_size=1, max_size=6).map(
    lambda weights: tuple(Shard(name, weight) for name, weight in weights.items())
)


def placed(names: set[str], shards: tuple[Shard, ...]) -> dict[str, str]:
    return {name: assign(name, shards) for name in names}


# --- Rendezvous hashing ---


def test_the_draw_is_the_same_for_ever() -> None:
    """A service that moves without a reason is handled by nobody for a moment, and rendered anew in every repository."""
    shards = (Shard("a"), Shard("b", 3), Shard("c"))
    names = ["nginx", "api-gateway", "payments-api", "checkout", "search", "docs-site", "edge-proxy", "batch-reports"]
    assert [assign(name, shards) for name in names] == ["b", "b", "b", "b", "a", "a", "b", "a"]


@given(fleets, weighted, st.randoms(use_true_random=False))
def test_the_order_of_shards_says_nothing(names: set[str], shards: tuple[Shard, ...], rng: Any) -> None:
    shuffled = list(shards)
    rng.shuffle(shuffled)
    assert placed(names, shards) == placed(names, tuple(shuffled))


@given(fleets, weighted, labels, st.integers(1, 5))
def test_a_new_shard_takes_its_share_and_moves_nothing_else(
    names: set[str], shards: tuple[Shard, ...], new: str, weight: int
) -> None:
    shards = tuple(shard for shard in shards if shard.name != new)
    before, after = placed(names, shards), placed(names, (*shards, Shard(new, weight)))
    assert all(after[name] in (before[name], new) for name in names)


@given(fleets, weighted)
def test_a_shard_that_goes_moves_only_what_it_had(names: set[str], shards: tuple[Shard, ...]) -> None:
    gone, *left = shards
    before, after = placed(names, shards), placed(names, tuple(left))
    assert all(after[name] == before[name] for name in names if before[name] != gone.name)


@given(fleets, weighted, st.integers(0, 5))
def test_a_weight_moves_services_to_or_from_its_shard_only(
    names: set[str], shards: tuple[Shard, ...], weight: int
) -> None:
    first, *others = shards
    before, after = placed(names, shards), placed(names, (Shard(first.name, weight), *others))
    gains = weight > first.weight
    for name in names:
        if before[name] != after[name]:
            assert (after if gains else before)[name] == first.name


def test_shares_are_as_the_weights_say() -> None:
    shards = (Shard("a"), Shard("b", 2), Shard("c", 5), Shard("d", 0))
    count = Counter(placed({f"svc-{number}" for number in range(8000)}, shards).values())
    assert count.keys() == {"a", "b", "c"}
    assert [round(count[name] / 1000, 1) for name in "abc"] == pytest.approx([1, 2, 5], abs=0.15)


def test_without_any_weight_there_is_no_shard() -> None:
    assert assign("nginx", ()) == assign("nginx", (Shard("a", 0),)) == ""


# --- In the values files ---

SHARDS = f"{FLEET}shards: [a, b, c]\n"


def shard_of(root: Path, name: str) -> str | None:
    found: str | None = yaml.safe_load((root / "values" / f"{name}.yaml").read_text()).get("shard")
    return found


def test_every_service_gets_its_shard(tree: Tree, run: Run) -> None:
    names = [f"svc-{number}" for number in range(12)]
    root = tree({"fleet.yaml": SHARDS, **{path: text for name in names for path, text in service(name).items()}})
    assert run("generate").status == 0
    found = {name: shard_of(root, name) for name in names}
    assert found == placed(set(names), (Shard("a"), Shard("b"), Shard("c")))
    assert set(found.values()) == {"a", "b", "c"}


def test_without_shards_nobody_has_one(tree: Tree, run: Run) -> None:
    root = tree({})
    run("generate")
    assert shard_of(root, "nginx") is None


def test_a_layer_pins(tree: Tree, run: Run) -> None:
    """Group, service and neither; "" is the default controller, and null takes a pin back."""
    fleet = f"{FLEET}shards: [a, {{name: z, weight: 0}}]\ngroups: {{eu: {{services: [eu-*], values: {{shard: z}}}}}}\n"
    root = tree(
        {
            "fleet.yaml": fleet,
            **service("eu-web"),
            **service("eu-back", kargo="shard: null\n"),
            **service("eu-own", kargo="shard: a\n"),
            **service("none", kargo='shard: ""\n'),
        }
    )
    assert run("generate").status == 0
    found = {name: shard_of(root, name) for name in ("eu-web", "eu-back", "eu-own", "none", "nginx")}
    assert found == {"eu-web": "z", "eu-back": "a", "eu-own": "a", "none": None, "nginx": "a"}


def test_an_unknown_shard_is_an_error_of_its_layer(tree: Tree, run: Run) -> None:
    tree(
        {
            "fleet.yaml": f"{FLEET}shards: [east, west]\ngroups:\n  eu:\n    services: [eu-*]\n    values: {{shard: north}}\n",
            **service("eu-a"),
            **service("eu-b"),
            **service("web", kargo="shard: eats\n"),
        }
    )
    result = run("check", "--output", "json")
    found = [finding for finding in json.loads(result.stdout)["findings"] if finding["code"] == "KF308"]
    assert [(f["file"], f["line"], f["column"], f["fix"]) for f in found] == [
        ("fleet.yaml", 7, 21, "use east or west, or add it to shards in fleet.yaml"),
        ("services/web/kargo.yaml", 1, 8, "did you mean east?"),
    ]
    assert result.status == 1


def test_without_shards_any_shard_goes(tree: Tree, run: Run) -> None:
    tree(service("web", kargo="shard: north\n"))
    assert run("generate").status == 0


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ("[a, b, a]", "fleet.yaml:3:16: error KF103: shards[2]: duplicate shard a"),
        ("[A]", 'shards[0]: "A" is not allowed'),
        ("[{name: a, weight: 21}]", "shards[0].weight: 21 is not allowed"),
        ("[{name: a, weight: 1.5}]", "shards[0].weight: 1.5 is a number, not an integer"),
        ("[{weight: 1}]", "shards[0]: name is required"),
        ("[{name: a, wieght: 1}]", "did you mean weight?"),
        ("{a: 1}", 'shards: {"a": 1} is a mapping, not a list'),
    ],
)
def test_shards_that_are_none(tree: Tree, run: Run, shards: str, message: str) -> None:
    tree({"fleet.yaml": f"{FLEET}shards: {shards}\n"})
    result = run("check")
    assert result.status == 1
    assert message in result.stdout


def test_moves_are_told(tree: Tree, run: Run) -> None:
    names = [f"svc-{number}" for number in range(12)]
    root = tree({"fleet.yaml": SHARDS, **{path: text for name in names for path, text in service(name).items()}})
    run("generate")
    (root / "fleet.yaml").write_text(f"{FLEET}shards: [a, b]\n")
    had_c = [name for name in [*names, "nginx"] if shard_of(root, name) == "c"]
    shown = run("generate", "--diff", "--dry-run")
    assert shown.stdout.count("\n-shard: c\n") == len(had_c) > 1
    data = json.loads(run("generate", "--dry-run", "--output", "json").stdout)
    assert {change["path"]: change["shard"]["from"] for change in data["changes"]} == {
        f"values/{name}.yaml": "c" for name in had_c
    }
    result = run("generate")
    first = min(had_c)
    assert f"updated  values/{first}.yaml (shard c → {shard_of(root, first)})\n" in result.stdout
    assert (
        result.stderr
        == f"13 services: {16 - len(had_c)} files unchanged, {len(had_c)} files updated; {len(had_c)} services to another shard\n"
    )
    assert "another shard" not in run("generate").stderr


def test_adopting_an_edit_does_not_pin(tree: Tree, run: Run) -> None:
    root = tree({"fleet.yaml": SHARDS})
    run("generate")
    file = root / "values/nginx.yaml"
    file.write_text(f"{file.read_text()}warehouse: {{interval: 1h}}\n")
    assert run("adopt", "nginx").status == 0
    assert "shard" not in (root / "services/nginx/kargo.yaml").read_text()
    assert run("check").status == 0


def test_registries_by_group(tree: Tree, run: Run) -> None:
    groups = "groups: {data: {services: [data-*], image: {registry: other.example.com/data}}}\n"
    root = tree({"fleet.yaml": FLEET + groups, **service("data-x")})
    run("generate")
    assert "repoURL: other.example.com/data/data-x\n" in (root / "values/data-x.yaml").read_text()
    assert "repoURL: registry.example.com/nginx\n" in (root / "values/nginx.yaml").read_text()
    run("generate", "--image-repository", "local")
    assert "repoURL: local/data-x\n" in (root / "values/data-x.yaml").read_text()


# --- ApplicationSets that follow the shards ---


def by_shard(**units: Any) -> dict[str, Any]:
    listed = ["a", {"name": "b", "weight": 2}]
    return {**PLATFORM, "shards": listed, "argocd": {"units": {"splitBy": "shard", **units}}}


def test_a_set_for_each_shard() -> None:
    fleet = by_shard(shards={"b": {"destination": {"name": "kargo-b"}}})
    found = parsed(fleet, {"nginx": USUAL})
    sets = {path: manifest for path, manifest in found.items() if manifest["kind"] == "ApplicationSet"}
    assert list(sets) == ["argocd/units-shard-a.yaml", "argocd/units-shard-b.yaml"]
    a, b = sets.values()
    assert [s["metadata"]["name"] for s in (a, b)] == ["kargo-units-shard-a", "kargo-units-shard-b"]
    assert a["spec"]["template"]["spec"]["destination"]["server"] == "https://kubernetes.default.svc"
    assert b["spec"]["template"]["spec"]["destination"] == {
        "name": "kargo-b",
        "namespace": "kargo-{{ .path.basename }}",
    }
    allowed = [
        entry for entry in found["argocd/appproject.yaml"]["spec"]["destinations"] if entry["namespace"] == "kargo-*"
    ]
    assert allowed == [
        {"server": "https://kubernetes.default.svc", "namespace": "kargo-*"},
        {"name": "kargo-b", "namespace": "kargo-*"},
    ]


def test_a_new_service_changes_no_set() -> None:
    one, two = {"nginx": USUAL}, {"nginx": USUAL, "web": USUAL}
    assert argocd_files.manifests(by_shard(), one) == argocd_files.manifests(by_shard(), two)


def test_a_large_shard_is_split_by_size_as_well() -> None:
    services = {f"svc-{number}": USUAL for number in range(30)}
    assert list(set_names(by_shard(maxApplications=14), services).values()) == [
        "kargo-units-shard-a",
        "kargo-units-shard-b-0-7",
        "kargo-units-shard-b-8-f",
    ]


def test_the_handover_of_sets_by_shard() -> None:
    names = [f"svc-{number}" for number in range(20)]
    files = argocd_files.manifests(by_shard(), {name: ["dev"] for name in names})
    sets = [files[path] for path in ("argocd/units-shard-a.yaml", "argocd/units-shard-b.yaml")]
    assert argocd_files.handover(by_shard(), sets)[0] == (
        "kubectl -n argocd delete applicationset kargo-units-shard-a kargo-units-shard-b --cascade=orphan"
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("argocd: {units: {splitBy: shard}}", "argocd.units.splitBy: shard requires shards"),
        (
            "shards: [a]\nargocd: {units: {splitBy: shard, shards: {b: {destination: {name: x}}}}}",
            "argocd.units.shards.b: unknown shard",
        ),
        (
            "shards: [a]\nargocd: {units: {shards: {a: {destination: {name: x}}}}}",
            "argocd.units.shards has no effect without splitBy: shard",
        ),
    ],
)
def test_settings_that_do_not_go_together(tree: Tree, run: Run, section: str, message: str) -> None:
    tree({"fleet.yaml": f"{FLEET}{section}\n"})
    result = run("check")
    assert result.status == 1
    assert f"KF601: {message}" in result.stdout


@given(fleets, weighted, st.data())
def test_every_service_has_exactly_one_share(names: set[str], shards: tuple[Shard, ...], data: st.DataObject) -> None:
    chosen = placed(names, shards)
    for name in data.draw(st.sets(st.sampled_from(sorted(names)))) if names else ():
        chosen[name] = data.draw(st.sampled_from(["", *(shard.name for shard in shards)]))
    found = shares(shards, chosen)
    assert sorted(name for share in found for name in share.services) == sorted(names)
    assert len({share.suffix for share in found}) == len(found)


@needs_argocd
@examples(15)
@given(fleets.filter(bool), weighted, st.data())
def test_argo_cd_computes_the_same_shards(
    appset: Any,
    tmp_path_factory: pytest.TempPathFactory,
    names: set[str],
    shards: tuple[Shard, ...],
    data: st.DataObject,
) -> None:
    pins = {
        name: data.draw(st.sampled_from(["", *(shard.name for shard in shards)]))
        for name in data.draw(st.sets(st.sampled_from(sorted(names)), max_size=5))
    }
    place = Checkout(tmp_path_factory.mktemp("repository"), appset)
    place.services(names)
    fleet = {
        **PLATFORM,
        "shards": [{"name": shard.name, "weight": shard.weight} for shard in shards],
        "argocd": {"units": {"splitBy": "shard", "maxApplications": 25}},
    }
    services = dict.fromkeys(names, USUAL)
    manifests = argocd_files.manifests(fleet, services, pins)
    found: dict[str, list[str]] = {}
    for path, text in manifests.items():
        if "/units" in path:
            file = place.folder / Path(path).name
            file.write_text(text)
            (rendered,) = appset("render", "-repo", place.repo, file)[0]
            for app in rendered.get("applications") or []:
                found.setdefault(app["metadata"]["name"].removeprefix("kargo-"), []).append(path)
    expected = {name: pins.get(name, assign(name, shards)) for name in names}
    assert {name: len(paths) for name, paths in found.items()} == dict.fromkeys(names, 1)
    for name, (path,) in found.items():
        suffix = f"-shard-{expected[name]}" if expected[name] else "-no-shard"
        assert path.startswith(f"argocd/units{suffix}"), (name, path)


# --- docs/sharding.md ---

DOCS = (Path(__file__).parents[2] / "docs" / "sharding.md").read_text()
KARGO_VALUES = dict(re.findall(r"```yaml title=(kargo-[a-z-]+)\.yaml\n(.*?)```", DOCS, re.DOTALL))


def kargo_objects(tmp_path: Path, values: str) -> dict[str, set[str]]:
    """What Kargo's own chart makes of values: the names of its objects by kind, with the shard's name as a kind of its own."""
    file = tmp_path / "values.yaml"
    file.write_text(values)
    chart = upstream.module(upstream.KARGO) / "charts" / "kargo"
    command = ["helm", "template", "kargo-x", str(chart), "--namespace", "kargo", "--values", str(file)]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, set[str]] = {}
    for document in filter(None, yaml.safe_load_all(rendered)):
        found.setdefault(document["kind"], set()).add(document["metadata"]["name"])
        if document["kind"] == "ConfigMap" and "SHARD_NAME" in document["data"]:
            found["shard"] = {document["data"]["SHARD_NAME"]}
    return found


def test_the_documented_values_add_a_controller_and_nothing_else(tmp_path: Path) -> None:
    found = kargo_objects(tmp_path, KARGO_VALUES["kargo-b"])
    assert found.pop("shard") == {"b"}
    assert found["Deployment"] == {"kargo-controller-b"}
    assert all(name.startswith("kargo-controller-b") for names in found.values() for name in names)


def test_the_documented_values_for_another_cluster(tmp_path: Path) -> None:
    there = kargo_objects(tmp_path, KARGO_VALUES["kargo-eu"])
    assert there.pop("shard") == {"eu"}
    assert there["Deployment"] == {"kargo-controller-eu"}
    here = kargo_objects(tmp_path, KARGO_VALUES["kargo-eu-access"])
    assert here.keys() == {"ServiceAccount", "RoleBinding", "ClusterRoleBinding"}
    for names in (*there.values(), *here.values()):
        assert all(name.startswith("kargo-controller-eu") for name in names)


def test_no_shard_cannot_be_a_shards_name(tree: Tree, run: Run) -> None:
    tree({"fleet.yaml": f'{FLEET}shards: ["{NO_SHARD}"]\n'})
    assert run("check").status == 1
