"""The formulas: their results for known cases, and how these change with services, intervals and shards."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kargo_fleet.capacity import advice, facts, model
from kargo_fleet.capacity.assumptions import Assumptions, assumptions_of, attribute
from kargo_fleet.capacity.model import Image, Push, ServiceProfile
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.capacity_section import CAPACITY_SCHEMA
from kargo_fleet.fleet.shards import Shard
from properties import examples

HOST = "registry.example.com"
SEMVER = Image(HOST, "SemVer", 10, cache_by_tag=False)
DEFAULTS = Assumptions()


def one(**changes: object) -> ServiceProfile:
    """Return a service with the chart's defaults."""
    pushes = tuple(Push(stage, "git.example.com/platform@main") for stage in ("dev", "staging", "prod"))
    follows = frozenset([advice.INTERVAL, advice.CACHE, advice.SHARD])
    return replace(ServiceProfile(images=(SEMVER,), pushes=pushes, follows=follows), **changes)  # type: ignore[arg-type]


# -- Requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "token", "platforms", "cached", "expected"),
    # As counted with Kargo v1.11.2's own selectors (pkg/image) against a registry of 30 tags, in the second round.
    [
        ("SemVer", False, False, False, 32),
        ("SemVer", True, False, False, 43),
        ("SemVer", False, True, False, 22),
        ("SemVer", True, True, False, 33),
        ("SemVer", False, False, True, 2),
        ("SemVer", True, True, True, 3),
        ("Lexical", True, False, False, 43),
        ("NewestBuild", False, False, False, 92),
        ("NewestBuild", True, False, False, 123),
        ("NewestBuild", True, True, False, 93),
        ("NewestBuild", True, False, True, 3),
        ("Digest", False, False, False, 3),
        ("Digest", True, False, True, 4),
        ("Digest", False, True, False, 2),
        ("Digest", True, True, False, 3),
    ],
)
def test_requests_of_one_discovery(strategy: str, token: bool, platforms: bool, cached: bool, expected: int) -> None:
    assumed = replace(DEFAULTS, tags_per_image=30, token_authentication=token, multi_platform_images=platforms)
    assert model.requests(Image(HOST, strategy, 10, cached), assumed) == expected


def test_a_repository_of_few_tags_costs_less() -> None:
    assert model.requests(SEMVER, replace(DEFAULTS, tags_per_image=3)) == 3 + 3 * 4


# -- Loads -----------------------------------------------------------------------------------------------------------


def test_the_default_fleet_by_hand() -> None:
    (registry,) = model.registries({one(): 300}, DEFAULTS)
    assert registry.discoveries == pytest.approx(1)
    assert registry.requests == pytest.approx(43)
    # 300 x 43 requests at 20 a second take 645 s; at 70 % that is 922 s, or 16 whole minutes.
    assert registry.smallest_interval == 16 * 60
    (controller,) = model.controllers({one(): 300}, DEFAULTS)
    assert controller.workers == pytest.approx(4.3)
    assert controller.api_requests == pytest.approx(3 + 300 * 3 * 0.2 / 28800 * model.REQUESTS_PER_PROMOTION)
    assert controller.stage_reconciles == pytest.approx(3)


def test_kargos_floor_holds() -> None:
    assert model.discoveries(one(interval=10), DEFAULTS) == 1 / 300
    assert model.discoveries(one(interval=10), replace(DEFAULTS, min_reconciliation_interval=0)) == 1 / 10


def test_receivers_add_a_discovery_per_release() -> None:
    announced = replace(DEFAULTS, webhook_receivers=True, releases_per_service_per_day=8, hours_per_day=8)
    assert model.discoveries(one(interval=3600), announced) == pytest.approx(2 / 3600)


def test_a_branch_takes_one_push_at_a_time() -> None:
    (branch,) = model.branches({one(): 1000}, DEFAULTS)
    assert branch.promotions == pytest.approx(1000 * 3 * 0.2 / 8)
    assert (branch.capacity, branch.controllers, branch.attempts) == (1200, 1, 1)


def test_controllers_that_share_a_branch_collide() -> None:
    halves = {one(shard="a"): 500.0, one(shard="b"): 500.0}
    (branch,) = model.branches(halves, DEFAULTS)
    others = 1000 * 3 * 0.2 / 8 / 3600 / 2
    assert branch.controllers == 2
    assert branch.attempts == pytest.approx(math.exp(others * 3))


@pytest.mark.parametrize(("releases", "promotions", "freight"), [(0.2, 60, 21), (1, 60, 21), (10, 420, 140)])
def test_what_the_garbage_collector_keeps(releases: float, promotions: float, freight: float) -> None:
    assumed = replace(DEFAULTS, releases_per_service_per_day=releases)
    assert model.kept_promotions(one(), assumed) == promotions
    assert model.kept_freight(one(), assumed) == freight


def _limits(fleet: model.Fleet, assumed: Assumptions, _settings: advice.Settings | None = None) -> list[model.Limit]:
    """Return the limits of a fleet, without those of its objects and sets."""
    sets = model.application_sets([10], 600, assumed)
    return model.limits(fleet, assumed, storage=model.Storage(0, 0, 0), sets=sets, max_applications=1500)


def test_a_full_quota_is_reported() -> None:
    assumed = replace(DEFAULTS, releases_per_service_per_day=30)
    assert _limits({one(): 1}, assumed)[0].code != "KF906"
    (full,) = [limit for limit in _limits({one(promotions_quota=900): 1}, assumed) if limit.code == "KF906"]
    assert full.share == pytest.approx(1260 / 900)


def test_what_all_controllers_ask_together_counts_for_the_registry() -> None:
    fleet = {one(shard=shard): 100.0 for shard in "abc"}
    assumed = replace(DEFAULTS, registry_requests_per_second=30)
    (together,) = [limit for limit in _limits(fleet, assumed) if limit.resource == "registry"]
    assert together.load == pytest.approx(43)
    assert together.share > 1


# -- How they move ---------------------------------------------------------------------------------------------------

services = st.builds(
    ServiceProfile,
    shard=st.sampled_from(["", "a", "b"]),
    interval=st.floats(300, 86400),
    images=st.lists(
        st.builds(
            Image,
            st.sampled_from([HOST, "index.docker.io"]),
            st.sampled_from(["SemVer", "Digest", "Lexical", "NewestBuild"]),
            st.integers(1, 100),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    stages=st.integers(1, 5),
    pushes=st.just((Push("dev", "git@main"), Push("prod", "git@main"))),
    follows=st.just(frozenset([advice.INTERVAL, advice.CACHE, advice.SHARD])),
)
fleets = st.dictionaries(services, st.integers(1, 5000).map(float), min_size=1, max_size=4)
assumptions = st.builds(
    Assumptions,
    webhook_receivers=st.booleans(),
    token_authentication=st.booleans(),
    releases_per_service_per_day=st.floats(0, 50),
    tags_per_image=st.integers(1, 3000),
)


def _loads(fleet: model.Fleet, assumed: Assumptions) -> dict[tuple[str, str], float]:
    return {(limit.resource, limit.where): limit.load for limit in _limits(fleet, assumed)}


def _same(a: float, b: float) -> float:
    return max(abs(a), abs(b)) * 1e-9 + 1e-9


@given(fleets, assumptions, st.floats(1, 10))
def test_more_services_never_lower_a_load(
    fleet: dict[ServiceProfile, float], assumed: Assumptions, factor: float
) -> None:
    before, after = _loads(fleet, assumed), _loads({key: count * factor for key, count in fleet.items()}, assumed)
    assert all(after[key] >= load - _same(load, after[key]) for key, load in before.items())


@given(fleets, assumptions, st.floats(1, 10))
def test_a_longer_interval_never_raises_a_load(
    fleet: dict[ServiceProfile, float], assumed: Assumptions, factor: float
) -> None:
    slower: dict[ServiceProfile, float] = {}
    for service, count in fleet.items():
        longer = replace(service, interval=service.interval * factor)
        slower[longer] = slower.get(longer, 0) + count
    before, after = _loads(fleet, assumed), _loads(slower, assumed)
    assert all(after[key] <= load + _same(load, after[key]) for key, load in before.items())


@given(fleets, assumptions, st.integers(2, 8), st.integers(1, 4))
def test_more_shards_never_raise_the_load_of_one(
    fleet: dict[ServiceProfile, float], assumed: Assumptions, few: int, more: int
) -> None:
    def busiest(shards: int) -> list[float]:
        spread = advice.apply(fleet, advice.Settings(shards=tuple(f"s{index}" for index in range(shards))))
        loads = model.controllers(spread, assumed)
        asked = model.registries(spread, assumed)
        return [
            max(load.workers for load in loads),
            max(load.api_requests for load in loads),
            max(load.promotions for load in loads),
            max(load.requests for load in asked),
            max(load.smallest_interval for load in asked),
        ]

    pairs = list(zip(busiest(few), busiest(few + more), strict=True))
    assert all(after <= before + _same(before, after) for before, after in pairs)


@given(fleets, assumptions)
def test_the_smallest_interval_is_enough(fleet: dict[ServiceProfile, float], assumed: Assumptions) -> None:
    assumed = replace(assumed, webhook_receivers=False)
    for registry in model.registries(fleet, assumed):
        asked = {
            replace(service, interval=registry.smallest_interval): 0.0
            for service in fleet
            if service.shard == registry.shard
        }
        for service, count in fleet.items():
            if service.shard == registry.shard:
                asked[replace(service, interval=registry.smallest_interval)] += count
        again = next(each for each in model.registries(asked, assumed) if each.host == registry.host)
        assert again.requests <= assumed.rate_limit * assumed.utilization * (1 + 1e-6)


@examples(25)  # each tries many ways
@given(fleets, assumptions)
def test_advice_is_enough_for_what_it_does_not_give_up(
    fleet: dict[ServiceProfile, float], assumed: Assumptions
) -> None:
    found = advice.find(fleet, assumed, _limits)
    chosen = found.settings
    after = _limits(advice.apply(fleet, chosen), advice.assumed(assumed, chosen), chosen)
    left = [limit for limit in after if limit.share > assumed.utilization]
    assert left == list(found.remaining)
    wrong = [limit for limit in _limits(fleet, assumed) if limit.share > assumed.utilization]
    assert bool(wrong) == (bool(chosen) or bool(left))


# -- Advice ----------------------------------------------------------------------------------------------------------


def test_nothing_is_advised_where_nothing_is_wrong() -> None:
    assert advice.find({one(): 20}, DEFAULTS, _limits) == advice.Advice(advice.Settings())


def test_the_cheapest_way_comes_first() -> None:
    assert advice.find({one(): 300}, DEFAULTS, _limits).settings == advice.Settings(cache_by_tag=True)
    moving = one(follows=frozenset([advice.INTERVAL, advice.SHARD]))
    assert advice.find({moving: 300}, DEFAULTS, _limits).settings == advice.Settings(1800, webhook_receivers=True)


def test_what_a_service_decides_itself_is_not_promised_to_change() -> None:
    stubborn = one(follows=frozenset())
    found = advice.find({stubborn: 10000}, DEFAULTS, _limits)
    assert "registry rate limit" in {limit.resource for limit in found.remaining}


def test_branches_are_only_advised_for_stages_that_all_services_have() -> None:
    busy = replace(DEFAULTS, releases_per_service_per_day=2, rate_limit=1000, max_concurrent_reconciles=1000)
    fewer = one(pushes=(Push("dev", "git.example.com/platform@main"), Push("qa", "git.example.com/platform@main")))
    found = advice.find({one(): 2000, fewer: 10}, replace(busy, kube_api_qps=1000), _limits)
    assert found.settings.branches == ("dev",)


# -- Assumptions -----------------------------------------------------------------------------------------------------


def test_every_assumption_has_a_key_and_every_key_a_default() -> None:
    assert {attribute(key) for key in CAPACITY_SCHEMA["properties"]} == set(DEFAULTS.__dataclass_fields__)
    assert set(Assumptions().as_settings()) == set(CAPACITY_SCHEMA["properties"])
    for key, item in CAPACITY_SCHEMA["properties"].items():
        assert "Default" not in item["description"], key  # the schema for editors says it
    assert Assumptions().changed(Assumptions().as_settings()) == Assumptions()


def test_options_are_over_fleet_yaml() -> None:
    assumed = assumptions_of(
        {"rateLimit": 40, "minReconciliationInterval": "1m"}, ["rateLimit=60", "tokenAuthentication=false"]
    )
    assert (assumed.rate_limit, assumed.min_reconciliation_interval, assumed.token_authentication) == (60, 60, False)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("rateLimt=1", "did you mean rateLimit?"),
        ("rateLimit", "not KEY=VALUE with a known key"),
        ("rateLimit=fast", "not an integer"),
        ("utilization=2", "a number from 0.05 to 1"),
        ("minReconciliationInterval=5", "a duration such as 5m"),
    ],
)
def test_an_invalid_option_is_refused(option: str, message: str) -> None:
    with pytest.raises(FleetError, match="--set") as refusal:
        assumptions_of({}, [option])
    assert message in str(refusal.value)


# -- Facts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repo_url", "host"),
    [
        ("registry.example.com/team/nginx", "registry.example.com"),
        ("localhost:5000/nginx", "localhost:5000"),
        ("localhost/nginx", "localhost"),
        ("library/nginx", "index.docker.io"),
        ("nginx", "index.docker.io"),
    ],
)
def test_the_registry_of_an_image(repo_url: str, host: str) -> None:
    assert facts.registry(repo_url) == host


def test_a_fleet_is_scaled_in_its_own_proportions() -> None:
    a, b = one(interval=300), one(interval=600)
    assert facts.scaled([a, a, a, b], 8, {}) == {a: 6, b: 2}
    assert sum(facts.scaled([a, a, b], 10, {}).values()) == 10
    assert facts.scaled([a, b], 1, {}) == {a: 1}


def test_shards_of_the_fleet_share_by_weight_what_is_pinned_to_none() -> None:
    shares = facts.pool([Shard("a"), Shard("b", 3), Shard("c", 0)])
    assert shares == {"a": 0.25, "b": 0.75}
    fleet = facts.scaled([one(shard="a"), one(shard="special")], 8, shares)
    assert {service.shard: count for service, count in fleet.items()} == {"a": 1, "b": 3, "special": 4}


# -- Shards of single Warehouses and stages --------------------------------------------------------------------------


SPREAD = {
    "service": {"name": "nginx"},
    "shard": "main",
    "image": {"repoURL": f"{HOST}/nginx"},
    "git": {"repoURL": "https://git.example.com/platform.git", "branch": "main"},
    "warehouse": {"interval": "10m"},
    "warehouses": {
        "builds": {"interval": "5m", "shard": "builders", "image": {"imageSelectionStrategy": "NewestBuild"}}
    },
    "stages": {
        "dev": {"requestedFreight": {"builds": {"direct": True}}},
        "prod": {"requestedFreight": {"main": {"direct": True}}, "shard": "far-away"},
    },
}


def test_each_controller_has_its_own_warehouses_and_stages() -> None:
    profile = facts.service(SPREAD)
    found = {one.shard: one for one in model.controllers({profile: 100}, DEFAULTS)}
    assert {shard: one.services for shard, one in found.items()} == {"builders": 100, "far-away": 100, "main": 100}
    assert found["builders"].discoveries == pytest.approx(100 / 300)
    assert found["main"].discoveries == pytest.approx(100 / 600)
    assert found["far-away"].discoveries == 0
    promoted = model.releases(DEFAULTS) * 100
    assert [found[shard].promotions for shard in ("builders", "far-away", "main")] == pytest.approx(
        [0, promoted, promoted]
    )
    hosts = {one.shard: one for one in model.registries({profile: 100}, DEFAULTS)}
    assert set(hosts) == {"builders", "main"}
    assert hosts["builders"].requests > hosts["main"].requests
    (branch,) = model.branches({profile: 100}, DEFAULTS)
    assert branch == replace(branch, controllers=2)
    together = facts.service({**SPREAD, "warehouses": {}, "stages": {"dev": {}, "prod": {}}})
    assert model.kept_promotions(profile, DEFAULTS) == model.kept_promotions(together, DEFAULTS)


def test_settings_of_a_service_in_several_shards() -> None:
    profile = facts.service(SPREAD, [advice.INTERVAL, advice.CACHE, advice.SHARD])
    settings = advice.Settings(interval=1200, cache_by_tag=True, shards=("a", "b"), branches=("dev", "prod"))
    changed = advice.apply({profile: 2}, settings)
    assert {(one.shard, count) for one, count in changed.items()} == {("a", 1), ("b", 1)}
    for one in changed:
        assert [part.shard for part in one.elsewhere] == ["builders", "far-away"]
        assert {part.interval for part in (one, *one.elsewhere)} == {1200}
        assert [image.cache_by_tag for image in one.images] == [True]
        assert [image.cache_by_tag for image in one.elsewhere[0].images] == [False]
        assert [push.branch for part in one.elsewhere for push in part.pushes] == ["git.example.com/platform@env/prod"]
    assert profile.with_interval(900).elsewhere[0].interval == 900


def test_a_service_whose_first_warehouse_is_elsewhere() -> None:
    values = {**SPREAD, "warehouse": {"shard": "other"}, "warehouses": {}, "stages": {"dev": {}}}
    profile = facts.service(values, [advice.CACHE])
    assert (profile.images, profile.warehouses, profile.follows) == ((), 0, frozenset())
    (part,) = profile.elsewhere
    assert (part.shard, len(part.images), part.follows) == ("other", 1, frozenset([advice.CACHE]))
