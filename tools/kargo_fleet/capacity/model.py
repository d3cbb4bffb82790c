"""The formulas: a fleet and assumptions in, loads and limits out. Nothing here reads or writes anything.

Where a number or a rule is Kargo's, the file that it was read in is named, at v1.11.2 of akuity/kargo; docs/scaling.md
has the same formulas in words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kargo_fleet.capacity.assumptions import Assumptions

#: One discovery writes the Warehouse's status twice and, with freightCreationPolicy Automatic, tries to create the Freight
#: that is there already: pkg/controller/warehouses/warehouses.go, syncWarehouse.
WRITES_PER_DISCOVERY, CREATES_PER_DISCOVERY = 2, 1
#: Roughly what one promotion asks of the API server, most of it status: pkg/controller/promotions, pkg/controller/stages.
REQUESTS_PER_PROMOTION = 20
#: A Stage is looked at again after 5 minutes, which no setting changes: pkg/controller/stages/regular_stages.go, Reconcile.
STAGE_REQUEUE = 300.0
#: kube-apiserver compacts every 5 minutes what is older than 5 minutes (--etcd-compaction-interval): at most this is kept.
HISTORY = 600.0
DAY = 86400.0


@dataclass(frozen=True)
class Image:
    """An image subscription, as far as its registry is concerned."""

    registry: str
    strategy: str
    discovery_limit: int
    cache_by_tag: bool


@dataclass(frozen=True)
class Other:
    """A subscription to a Git repository or a chart: one request, to which Kargo's rate limit does not apply."""

    host: str


@dataclass(frozen=True)
class Push:
    """A stage whose promotions push to a branch, `host/repository@branch`."""

    stage: str
    branch: str


@dataclass(frozen=True)
class ServiceProfile:
    """What a service's values say that costs something. Services that are alike are one of these, counted.

    `pushes` are the stages that push to a branch which others push to as well, `pull_requests` counts the other stages.
    `follows` names the values that fleet.yaml alone decides for this service, so that changing them there changes them here.
    """

    shard: str = ""
    interval: float = 300
    automatic: bool = True
    images: tuple[Image, ...] = ()
    others: tuple[Other, ...] = ()
    stages: int = 3
    pushes: tuple[Push, ...] = ()
    pull_requests: int = 0
    promotions_quota: float = math.inf
    freight_quota: float = math.inf
    follows: frozenset[str] = frozenset()


#: How many services are like that. A share of a service is one that is spread over shards by their weights.
Profiles = Mapping[ServiceProfile, float]


@dataclass(frozen=True)
class Limit:
    """One thing that can run out, and how much of it is used. `code` is that of the error.

    `grows` says that more services use more of it.
    """

    code: str
    resource: str
    where: str
    load: float
    capacity: float
    unit: str
    grows: bool = True

    @property
    def share(self) -> float:
        """The part of the limit that is used; above 1 it cannot work."""
        return self.load / self.capacity if self.capacity else math.inf


@dataclass(frozen=True)
class ControllerLoad:
    """What one Kargo controller (a shard) has to do."""

    shard: str
    services: float
    discoveries: float
    workers: float
    api_requests: float
    stage_reconciles: float
    promotions: float
    smallest_interval: float


@dataclass(frozen=True)
class RegistryLoad:
    """What one controller asks of one registry. `smallest_interval` is what this pair sustains if all are asked alike."""

    shard: str
    host: str
    warehouses: float
    discoveries: float
    requests: float
    requests_per_discovery: float
    smallest_interval: float


@dataclass(frozen=True)
class BranchLoad:
    """What one Git branch takes. Promotions per hour; `attempts` is how often a push is tried on average."""

    name: str
    promotions: float
    capacity: float
    controllers: int
    attempts: float


@dataclass(frozen=True)
class Storage:
    """Bytes in etcd: of objects as they are stored, of their history, of the database that holds both."""

    objects: float
    history: float
    database: float


@dataclass(frozen=True)
class Retention:
    """Promotions and Freight that the garbage collector leaves, in all."""

    promotions: float
    freight: float


@dataclass(frozen=True)
class ApplicationSets:
    """Argo CD's side: services per set, and seconds. `share` is the part of the time that the fullest set is rendered."""

    sets: tuple[int, ...]
    reconcile: float
    first_creation: float
    requeue_after: float

    @property
    def share(self) -> float:
        """The part of requeueAfterSeconds that rendering the fullest set takes."""
        return self.reconcile / self.requeue_after


def requests(image: Image, given: Assumptions) -> float:
    """Return how many requests one discovery of an image sends to its registry, once caches are warm.

    Every list of tags and every look at a tag signs in anew (a ping, and a token where the registry wants one):
    pkg/image/repository_client.go makes no client that lasts, and remote.List and remote.Get of go-containerregistry each
    start with transport.NewWithContext. Counted with Kargo's own selectors against a registry: 43 requests for SemVer with
    a token and discoveryLimit 10, 3 with cacheByTag, 33 for indexes of several platforms.
    """
    sign_in = 2 if given.token_authentication else 1
    candidate = sign_in + 1 + (0 if given.multi_platform_images else 1)  # the manifest, and the configuration it names
    if image.strategy == "Digest":
        return candidate
    listing = sign_in + math.ceil(given.tags_per_image / 1000)
    if image.cache_by_tag:
        return listing
    looked_at = (
        given.tags_per_image if image.strategy == "NewestBuild" else min(image.discovery_limit, given.tags_per_image)
    )
    return listing + looked_at * candidate


def discovery_seconds(service: ServiceProfile, given: Assumptions) -> float:
    """Return how long one discovery occupies a worker: subscriptions, and the requests of each, come one after the other."""
    count = sum(requests(image, given) for image in service.images) + len(service.others)
    return count * given.seconds_per_request


def discoveries(service: ServiceProfile, given: Assumptions) -> float:
    """Return discoveries per second of one service: one per interval, at least the floor, and one per announced release.

    The interval counts from the end of the last discovery (GetInterval in api/v1alpha1/warehouse_types.go), without jitter.
    """
    polled = 1 / max(service.interval, given.min_reconciliation_interval)
    return polled + (releases(given) if given.webhook_receivers else 0)


def releases(given: Assumptions) -> float:
    """Return releases per second of one service in the hours in which they come."""
    return given.releases_per_service_per_day / (given.hours_per_day * 3600)


def controllers(fleet: Profiles, given: Assumptions) -> list[ControllerLoad]:
    """Return the load of every shard's controller."""
    found = []
    for shard in sorted({service.shard for service in fleet}):
        own = {service: count for service, count in fleet.items() if service.shard == shard}
        rate = _sum(own, lambda one: discoveries(one, given))
        promoted = _sum(own, lambda one: one.stages * releases(given))
        writes = _sum(
            own,
            lambda one: (
                discoveries(one, given) * (WRITES_PER_DISCOVERY + (CREATES_PER_DISCOVERY if one.automatic else 0))
            ),
        )
        busy = _sum(own, lambda one: discovery_seconds(one, given))
        found.append(
            ControllerLoad(
                shard=shard,
                services=sum(own.values()),
                discoveries=rate,
                workers=_sum(own, lambda one: discoveries(one, given) * discovery_seconds(one, given)),
                api_requests=writes + promoted * REQUESTS_PER_PROMOTION,
                stage_reconciles=_sum(own, lambda one: one.stages / STAGE_REQUEUE),
                promotions=promoted,
                smallest_interval=_smallest(busy / given.max_concurrent_reconciles, given),
            )
        )
    return found


def registries(fleet: Profiles, given: Assumptions) -> list[RegistryLoad]:
    """Return what each controller asks of each registry."""
    found = []
    for shard, host in sorted({(service.shard, image.registry) for service in fleet for image in service.images}):
        asked = {
            service: (count, [image for image in service.images if image.registry == host])
            for service, count in fleet.items()
            if service.shard == shard and any(image.registry == host for image in service.images)
        }
        once = sum(count * sum(requests(image, given) for image in images) for count, images in asked.values())
        rate = sum(
            count * discoveries(service, given) * sum(requests(image, given) for image in images)
            for service, (count, images) in asked.items()
        )
        subscriptions = sum(count * len(images) for count, images in asked.values())
        found.append(
            RegistryLoad(
                shard=shard,
                host=host,
                warehouses=sum(count for count, _ in asked.values()),
                discoveries=sum(
                    count * discoveries(service, given) * len(images) for service, (count, images) in asked.items()
                ),
                requests=rate,
                requests_per_discovery=once / subscriptions,
                smallest_interval=_smallest(once / given.rate_limit, given),
            )
        )
    return found


def _smallest(seconds_of_work: float, given: Assumptions) -> float:
    """Return the interval in which this much work fits with room to spare, in whole minutes and not below Kargo's floor.

    The room (`utilization`) is for what no average shows: retries after errors, refreshes by hand and by webhook, and a
    restart of the controller, after which everything that fell due meanwhile is asked at once.
    """
    minutes = math.ceil(round(seconds_of_work / given.utilization / 60, 6))
    return max(minutes * 60.0, given.min_reconciliation_interval)


def branches(fleet: Profiles, given: Assumptions) -> list[BranchLoad]:
    """Return what each branch has to take.

    In one controller git-push holds a lock per repository and branch over pull, rebase and push
    (pkg/promotion/runner/builtin/git_pusher.go), so a branch takes one push per `secondsPerPush`, and none fails. Several
    controllers know nothing of each other's lock: a push fails when another controller's came between its pull and its
    push. With pushes at random moments that happens with probability 1 - exp(-others x seconds), so a push is tried
    exp(others x seconds) times on average; the server itself still takes one at a time.
    """
    loads: Counter[str] = Counter()
    shards: dict[str, set[str]] = {}
    for service, count in fleet.items():
        for push in service.pushes:
            loads[push.branch] += count * releases(given)  # type: ignore[assignment]
            shards.setdefault(push.branch, set()).add(service.shard)
    found = []
    for name, load in sorted(loads.items()):
        others = load * (1 - 1 / len(shards[name]))
        attempts = math.exp(min(others * given.seconds_per_push, 50))
        found.append(BranchLoad(name, load * 3600, 3600 / given.seconds_per_push, len(shards[name]), attempts))
    return found


def kept_promotions(service: ServiceProfile, given: Assumptions) -> float:
    """Return how many Promotions of one service stay: per Stage the newest, and all that are young.

    pkg/garbage/promotions.go: maxRetainedPromotions older than the oldest that still runs, and everything younger than
    minPromotionDeletionAge.
    """
    young = given.releases_per_service_per_day * given.min_promotion_deletion_age / DAY
    return service.stages * max(given.max_retained_promotions, young)


def kept_freight(service: ServiceProfile, given: Assumptions) -> float:
    """Return how many Freight of one service stay: pkg/garbage/freight.go keeps those after the oldest that is in use."""
    del service  # every service has one Warehouse
    young = given.releases_per_service_per_day * given.min_freight_deletion_age / DAY
    return max(given.max_retained_freight + 1, young)


def retention(fleet: Profiles, given: Assumptions) -> Retention:
    """Return what the fleet keeps in all; a quota ends it, for the service that has one."""
    return Retention(
        _sum(fleet, lambda one: min(kept_promotions(one, given), one.promotions_quota)),
        _sum(fleet, lambda one: min(kept_freight(one, given), one.freight_quota)),
    )


def application_sets(sizes: Sequence[int], requeue_after: float, given: Assumptions) -> ApplicationSets:
    """Return Argo CD's load. A set is rendered by one thread, again after requeueAfterSeconds.

    applicationset/controllers/applicationset_controller.go and applicationset/generators/git.go of argoproj/argo-cd.
    """
    largest = max(sizes, default=0)
    return ApplicationSets(
        tuple(sizes),
        largest * given.seconds_per_application,
        largest * given.seconds_per_new_application,
        requeue_after,
    )


def limits(
    fleet: Profiles, given: Assumptions, *, storage: Storage, sets: ApplicationSets, max_applications: int
) -> list[Limit]:
    """Return everything that can run out, what is used most first."""
    found = [
        *_registry_limits(registries(fleet, given), given),
        *_controller_limits(controllers(fleet, given), given),
        *(
            Limit("KF903", "Git branch", one.name, one.promotions, one.capacity, "promotions/h")
            for one in branches(fleet, given)
        ),
        Limit("KF904", "etcd", "database", storage.database, given.quota_backend_bytes, "bytes"),
        *_argocd_limits(sets, max_applications),
        *_quota_limits(fleet, given),
    ]
    # What does not grow with the fleet is no concern of its growth, unless it is full already.
    return sorted(
        found, key=lambda limit: (limit.share <= given.utilization and not limit.grows, -limit.share, limit.code)
    )


def _registry_limits(loads: Iterable[RegistryLoad], given: Assumptions) -> list[Limit]:
    found = []
    together: Counter[str] = Counter()
    for one in loads:
        where = f"{one.host} from {controller_name(one.shard)}"
        found.append(Limit("KF901", "registry rate limit", where, one.requests, given.rate_limit, "requests/s"))
        together[one.host] += one.requests  # type: ignore[assignment]
    if most := given.registry_requests_per_second:
        found += [
            Limit("KF901", "registry", f"{host} from all controllers", load, most, "requests/s")
            for host, load in together.items()
        ]
    return found


def _controller_limits(loads: Iterable[ControllerLoad], given: Assumptions) -> list[Limit]:
    found = []
    workers = given.max_concurrent_reconciles
    for one in loads:
        name = controller_name(one.shard)
        promoting = one.promotions * given.seconds_per_promotion
        found += [
            Limit("KF902", "Warehouse reconciler", name, one.workers, workers, "workers"),
            Limit("KF902", "Promotion reconciler", name, promoting, workers, "workers"),
            Limit("KF902", "Kubernetes API", name, one.api_requests, given.kube_api_qps, "requests/s"),
        ]
    return found


def _argocd_limits(sets: ApplicationSets, max_applications: int) -> list[Limit]:
    largest = max(sets.sets, default=0)
    return [
        Limit("KF905", "ApplicationSet", "fullest set", sets.reconcile, sets.requeue_after, "s", grows=False),
        # A set is split before it is fuller than that; 256 sets is the end.
        Limit(
            "KF905",
            "ApplicationSet split",
            "fullest set",
            max(largest - max_applications, 0),
            1,
            "Applications too many",
        ),
    ]


def _quota_limits(fleet: Profiles, given: Assumptions) -> list[Limit]:
    """Return the worst service's use of its quota; one that is full stops its promotions, nobody else's."""
    found = []
    for kind, kept, quota in (
        ("Promotions", kept_promotions, "promotions_quota"),
        ("Freight", kept_freight, "freight_quota"),
    ):
        limited = [(kept(one, given), getattr(one, quota)) for one in fleet if getattr(one, quota) < math.inf]
        if limited:
            load, capacity = max(limited, key=lambda pair: pair[0] / pair[1] if pair[1] else math.inf)
            found.append(
                Limit("KF906", "resourceQuota", f"{kind} of a service", load, capacity, "objects", grows=False)
            )
    return found


def controller_name(shard: str) -> str:
    """Return how a controller is called in sentences."""
    return f"shard {shard}" if shard else "the default controller"


def _sum(fleet: Profiles, cost: Callable[[ServiceProfile], float]) -> float:
    return sum(count * cost(service) for service, count in fleet.items())
