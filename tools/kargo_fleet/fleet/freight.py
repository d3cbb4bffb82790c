"""One unit's Warehouses and the Freight that its stages take from them, as templates/_warehouses.tpl and _freight.tpl have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from kargo_fleet.findings import KeyPath
from kargo_fleet.fleet.merge import merge

#: The key of the first Warehouse, which `image` and `warehouse` describe.
MAIN: Final = "main"
_KINDS: Final = ("image", "git", "chart")
#: What a further Warehouse's `image` and `git` without a repoURL take from those of the service.
INHERITED: Final = ("repoURL", "branch", "platform", "cacheByTag", "insecureSkipTLSVerify")


class Subscription(NamedTuple):
    """One subscription: its kind (image, git or chart) and settings, the `path` of these, and its name, "" for none."""

    kind: str
    given: Mapping[str, Any]
    path: KeyPath
    name: str = ""

    @property
    def is_listed(self) -> bool:
        """Whether it stands in a list `subscriptions`, in Kargo's format."""
        return isinstance(self.path[-2], int) if len(self.path) > 1 else False

    @property
    def repo_url(self) -> str:
        """The repository, "" when none is said."""
        return self.given.get("repoURL") or ""


class Warehouse(NamedTuple):
    """One Warehouse: its key, the path of its settings in the values, these, its name, and its subscriptions."""

    key: str
    path: KeyPath
    given: Mapping[str, Any]
    name: str
    subscriptions: tuple[Subscription, ...]


class Request(NamedTuple):
    """The Freight that a stage takes from one Warehouse; `path` is the place in the values that asks for it."""

    key: str
    path: KeyPath
    direct: bool
    upstream: tuple[str, ...]
    soak: str
    availability: str
    selection: str


def warehouses_of(values: Mapping[str, Any]) -> dict[str, Warehouse]:
    """Return the Warehouses of a unit by key, the first as MAIN, in order of their keys; {} when nothing is subscribed to."""
    found = {}
    main: Mapping[str, Any] = values.get("warehouse") or {}
    image = values.get("image")
    own = [Subscription("image", image, ("image",))] if isinstance(image, dict) else []
    if subscriptions := (*own, *_listed(main, ("warehouse",))):
        name = main.get("name") or values["service"]["name"]
        found[MAIN] = Warehouse(MAIN, ("warehouse",), main, name, subscriptions)
    for key, given in (values.get("warehouses") or {}).items():
        if given is not None and key != MAIN:
            path: KeyPath = ("warehouses", key)
            subscriptions = (*_short(values, given, path), *_listed(given, path))
            found[key] = Warehouse(key, path, given, given.get("name") or key, subscriptions)
    return dict(sorted(found.items()))


def _short(values: Mapping[str, Any], given: Mapping[str, Any], path: KeyPath) -> Iterator[Subscription]:
    """Yield the subscriptions that are written with the keys image, git and chart."""
    for kind in _KINDS:
        own = given.get(kind)
        if not isinstance(own, dict):
            continue
        if not own.get("repoURL") and kind != "chart":
            of_all = values.get(kind) or {}
            is_tagged = (own.get("commitSelectionStrategy") or "NewestFromBranch") != "NewestFromBranch"
            inherited = [key for key in INHERITED if of_all.get(key) and not (is_tagged and key == "branch")]
            own = merge({key: of_all[key] for key in inherited}, own)
        yield Subscription(kind, own, (*path, kind))


def _listed(given: Mapping[str, Any], path: KeyPath) -> Iterator[Subscription]:
    for index, subscription in enumerate(given.get("subscriptions") or []):
        for kind in _KINDS:
            if isinstance(own := subscription.get(kind), dict):
                yield Subscription(kind, own, (*path, "subscriptions", index, kind), subscription.get("name") or "")


def has_image(warehouse: Warehouse, image: str) -> bool:
    """Return whether a Warehouse subscribes to an image, by the name by which promotions look it up."""
    return any(one.kind == "image" and one.repo_url == image for one in warehouse.subscriptions)


def requests_of(
    warehouses: Mapping[str, Warehouse], stages: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[Request, ...]]:
    """Return the Freight that each stage takes.

    A stage without requestedFreight takes what its upstream stages take, and without these that of the first Warehouse
    (of the only one, where there is no first). In requestedFreight, an entry with direct or upstream stands for itself;
    one without takes those of the stage.
    """
    keys = sorted(warehouses, key=lambda key: (key != MAIN, key))
    first = keys[:1] if MAIN in keys or len(keys) == 1 else []
    taken = _taken(keys, first, stages)
    return {
        name: tuple(_request(name, key, stage, keys, first, taken) for key in keys if key in taken[name])
        for name, stage in stages.items()
    }


def _taken(keys: list[str], first: list[str], stages: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the keys of the Warehouses that each stage takes Freight from."""
    taken: dict[str, list[str]] = {}
    inherits = []
    for name, stage in stages.items():
        taken[name] = [key for key, given in (stage.get("requestedFreight") or {}).items() if given is not None]
        if not taken[name]:
            if upstream := stage.get("upstream"):
                inherits.append(name)
            taken[name] = list(first) if stage.get("direct") or not upstream else []
    if len(keys) <= 1:
        return {**taken, **{name: list(first) for name in inherits}}
    for _ in inherits:  # by then the Freight has come to the last of them
        for name in inherits:
            for source in stages[name]["upstream"]:
                taken[name] += [key for key in taken.get(source, []) if key not in taken[name]]
    return taken


def _request(
    name: str,
    key: str,
    stage: Mapping[str, Any],
    keys: list[str],
    first: list[str],
    taken: Mapping[str, list[str]],
) -> Request:
    own = (stage.get("requestedFreight") or {}).get(key)
    given: Mapping[str, Any] = own or {}
    path: KeyPath = ("stages", name) if own is None else ("stages", name, "requestedFreight", key)
    direct, upstream = bool(given.get("direct")), list(given.get("upstream") or [])
    if not (direct or upstream):
        of_stage = stage.get("upstream") or []
        # `direct` beside upstream, the way for hotfixes, is from the first Warehouse.
        direct = not of_stage or bool(stage.get("direct") and (stage.get("requestedFreight") or key in first))
        direct = direct and given.get("direct") is not False
        upstream = [one for one in of_stage if len(keys) <= 1 or one not in taken or key in taken[one]]
    settings = (
        given.get(setting) or stage.get(setting) or ""
        for setting in ("requiredSoakTime", "availabilityStrategy", "selectionPolicy")
    )
    return Request(key, path, direct, tuple(upstream), *settings)
