"""The formulas: a fleet and assumptions in, loads and limits out, without any input or output.

Numbers and rules of Kargo name their source file, at v1.11.2 of akuity/kargo; docs/scaling.md has the same formulas in
words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kargo_fleet.capacity.assumptions import Assumptions

#: One discovery writes the Warehouse's status twice and, with freightCreationPolicy Automatic, tries to create Freight that
#: already exists: pkg/controller/warehouses/warehouses.go, syncWarehouse.
WRITES_PER_DISCOVERY, CREATES_PER_DISCOVERY = 2, 1
#: Estimated requests of one promotion to the API server, mostly status: pkg/controller/promotions, pkg/controller/stages.
REQUESTS_PER_PROMOTION = 20
#: A Stage is reconciled again after 5 minutes, which is not configurable: pkg/controller/stages/regular_stages.go, Reconcile.
STAGE_REQUEUE = 300.0
#: kube-apiserver compacts versions older than 5 minutes every 5 minutes (--etcd-compaction-interval): the maximum age.
HISTORY = 600.0
DAY = 86400.0


@dataclass(frozen=True)
class Image:
    """An image subscription: what determines its requests to the registry.

    `share` is how often its Warehouse looks for each time that the first one does: 0.5 with twice the interval.
    """

    registry: str
    strategy: str
    discovery_limit: int
    cache_by_tag: bool
    share: float = 1.0


@dataclass(frozen=True)
class Other:
    """A subscription to a Git repository or a chart: one request, to which Kargo's rate limit does not apply."""

    host: str
    share: float = 1.0


@dataclass(frozen=True)
class Push:
    """A stage whose promotions push to a branch, `host/repository@branch`."""

    stage: str
    branch: str


@dataclass(frozen=True)
class ServiceProfile:
    """The values of a service that cause load. Equal services share one profile, which is counted.

    `interval` is that of the first Warehouse, `warehouses` the number of all, each weighted with its share of discoveries.
    `pushes` are the stages that push to a shared branch, `pull_requests` is the number of the other stages. `follows`
    names the values that only fleet.yaml sets for this service, so that a change there takes effect here. `elsewhere` is what
    the controllers of other shards do, for Warehouses and stages with a shard of their own; `warehouses`, `images`, `others`,
    `stages` and `pushes` are without that.
    """

    shard: str = ""
    interval: float = 300
    warehouses: float = 1.0
    automatic: bool = True
    images: tuple[Image, ...] = ()
    others: tuple[Other, ...] = ()
    stages: int = 3
    pushes: tuple[Push, ...] = ()
    pull_requests: int = 0
    promotions_quota: float = math.inf
    freight_quota: float = math.inf
    follows: frozenset[str] = frozenset()
    elsewhere: tuple[ServiceProfile, ...] = ()

    @property
    def all_stages(self) -> int:
        """The number of stages, whichever controller has them."""
        return self.stages + sum(part.stages for part in self.elsewhere)

    def with_interval(self, interval: float) -> ServiceProfile:
        """Return the service with another interval of its first Warehouse; those of others keep their share."""
        parts = tuple(replace(part, interval=interval) for part in self.elsewhere)
        return replace(self, interval=interval, elsewhere=parts)


#: The number of services with a profile. It is not an integer when services are spread over shards by their weights.
Profiles = Mapping[ServiceProfile, float]


@dataclass(frozen=True)
class Limit:
    """A limited resource and its load. `code` is that of the error.

    `grows` means that the load grows with the number of services.
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
        """The part of the limit that is used; above 1 the limit is exceeded."""
        return self.load / self.capacity if self.capacity else math.inf


@dataclass(frozen=True)
class ControllerLoad:
    """The load of one Kargo controller (a shard)."""

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
    """The load of one controller on one registry. `smallest_interval` is sustainable if all Warehouses have it."""

    shard: str
    host: str
    warehouses: float
    discoveries: float
    requests: float
    requests_per_discovery: float
    smallest_interval: float


@dataclass(frozen=True)
class BranchLoad:
    """The load of one Git branch. Promotions per hour; `attempts` is the average number of attempts of a push."""

    name: str
    promotions: float
    capacity: float
    controllers: int
    attempts: float


@dataclass(frozen=True)
class Storage:
    """Bytes in etcd: of the stored objects, of their history, and of the database that holds both."""

    objects: float
    history: float
    database: float


@dataclass(frozen=True)
class Retention:
    """The total of Promotions and Freight that the garbage collector keeps."""

    promotions: float
    freight: float


@dataclass(frozen=True)
class ApplicationSets:
    """The load of Argo CD: services per ApplicationSet, and durations in seconds."""

    sets: tuple[int, ...]
    reconcile: float
    first_creation: float
    requeue_after: float

    @property
    def share(self) -> float:
        """The part of requeueAfterSeconds that rendering the largest set takes."""
        return self.reconcile / self.requeue_after


def requests(image: Image, given: Assumptions) -> float:
    """Return the number of requests that one discovery of an image sends to its registry, once caches are warm.

    Every list of tags and every request for a tag authenticates again (a ping, and a token if the registry requires one):
    pkg/image/repository_client.go does not keep a client, and remote.List and remote.Get of go-containerregistry each
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
    """Return how long one discovery occupies a worker: subscriptions, and the requests of each, are sequential."""
    count = sum(image.share * requests(image, given) for image in service.images)
    count += sum(other.share for other in service.others)
    return count * given.seconds_per_request


def discoveries(service: ServiceProfile, given: Assumptions) -> float:
    """Return discoveries per second of a service's first Warehouse: one per interval, not below the minimum, and one per
    announced release.

    The interval starts at the end of the last discovery (GetInterval in api/v1alpha1/warehouse_types.go), without jitter.
    """
    polled = 1 / max(service.interval, given.min_reconciliation_interval)
    return polled + (releases(given) if given.webhook_receivers else 0)


def releases(given: Assumptions) -> float:
    """Return releases per second of one service during the release hours of a day."""
    return given.releases_per_service_per_day / (given.hours_per_day * 3600)


def by_controller(fleet: Profiles) -> Profiles:
    """Return the fleet in which what a service has in other shards stands for itself."""
    if not any(one.elsewhere for one in fleet):  # as in nearly all fleets
        return fleet
    found: Counter[ServiceProfile] = Counter()
    for one, count in fleet.items():
        for part in (replace(one, elsewhere=()), *one.elsewhere):
            found[part] += count  # type: ignore[assignment]
    return found


def controllers(fleet: Profiles, given: Assumptions) -> list[ControllerLoad]:
    """Return the load of every shard's controller."""
    fleet = by_controller(fleet)
    found = []
    for shard in sorted({service.shard for service in fleet}):
        own = {service: count for service, count in fleet.items() if service.shard == shard}
        rate = _sum(own, lambda one: one.warehouses * discoveries(one, given))
        promoted = _sum(own, lambda one: one.stages * releases(given))
        writes = _sum(
            own,
            lambda one: (
                one.warehouses
                * discoveries(one, given)
                * (WRITES_PER_DISCOVERY + (CREATES_PER_DISCOVERY if one.automatic else 0))
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
    """Return the load of each controller on each registry."""
    fleet = by_controller(fleet)
    found = []
    for shard, host in sorted({(service.shard, image.registry) for service in fleet for image in service.images}):
        users = {
            service: (count, [image for image in service.images if image.registry == host])
            for service, count in fleet.items()
            if service.shard == shard and any(image.registry == host for image in service.images)
        }
        once = sum(
            count * sum(image.share * requests(image, given) for image in images) for count, images in users.values()
        )
        rate = sum(
            count * discoveries(service, given) * sum(image.share * requests(image, given) for image in images)
            for service, (count, images) in users.items()
        )
        subscriptions = sum(count * sum(image.share for image in images) for count, images in users.values())
        found.append(
            RegistryLoad(
                shard=shard,
                host=host,
                warehouses=sum(count for count, _ in users.values()),
                discoveries=sum(
                    count * discoveries(service, given) * sum(image.share for image in images)
                    for service, (count, images) in users.items()
                ),
                requests=rate,
                requests_per_discovery=once / subscriptions,
                smallest_interval=_smallest(once / given.rate_limit, given),
            )
        )
    return found


def _smallest(seconds_of_work: float, given: Assumptions) -> float:
    """Return the interval for this amount of work at `utilization`, in whole minutes and not below Kargo's minimum.

    The reserve is for what averages do not show: retries after errors, refreshes by hand and by webhook, and a restart of
    the controller, after which every overdue discovery runs at once.
    """
    minutes = math.ceil(round(seconds_of_work / given.utilization / 60, 6))
    return max(minutes * 60.0, given.min_reconciliation_interval)


def branches(fleet: Profiles, given: Assumptions) -> list[BranchLoad]:
    """Return the load of each branch.

    In one controller git-push holds a lock per repository and branch during pull, rebase and push
    (pkg/promotion/runner/builtin/git_pusher.go), so a branch takes one push per `secondsPerPush`, and none fails. Several
    controllers do not share the lock: a push fails when another controller pushes between its pull and its push. With
    pushes at random times the probability of that is 1 - exp(-others x seconds), so a push takes exp(others x seconds)
    attempts on average; the server itself still takes one push at a time.
    """
    loads: Counter[str] = Counter()
    shards: dict[str, set[str]] = {}
    for service, count in by_controller(fleet).items():
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
    """Return the number of Promotions of one service that are kept: per Stage the newest, and all recent ones.

    pkg/garbage/promotions.go: maxRetainedPromotions older than the oldest that still runs, and all that are younger than
    minPromotionDeletionAge.
    """
    young = given.releases_per_service_per_day * given.min_promotion_deletion_age / DAY
    return service.all_stages * max(given.max_retained_promotions, young)


def kept_freight(service: ServiceProfile, given: Assumptions) -> float:
    """Return the number of Freight of one service that are kept: pkg/garbage/freight.go keeps those after the oldest in use."""
    del service  # every service has one Warehouse
    young = given.releases_per_service_per_day * given.min_freight_deletion_age / DAY
    return max(given.max_retained_freight + 1, young)


def retention(fleet: Profiles, given: Assumptions) -> Retention:
    """Return the total that the fleet keeps, limited by the quota of each service that has one."""
    return Retention(
        _sum(fleet, lambda one: min(kept_promotions(one, given), one.promotions_quota)),
        _sum(fleet, lambda one: min(kept_freight(one, given), one.freight_quota)),
    )


def application_sets(sizes: Sequence[int], requeue_after: float, given: Assumptions) -> ApplicationSets:
    """Return the load of Argo CD. A set is rendered by one thread, again after requeueAfterSeconds.

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
    """Return all limits, sorted by their use, the highest first."""
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
    # A limit that does not grow with the fleet comes last, unless it is above `utilization` already.
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
        # A set is split before it exceeds maxApplications, up to 256 sets.
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
    """Return the highest use of a service's quota; a full quota stops only the promotions of that service."""
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
    """Return the name of a controller for use in sentences."""
    return f"shard {shard}" if shard else "the default controller"


def _sum(fleet: Profiles, cost: Callable[[ServiceProfile], float]) -> float:
    return sum(count * cost(service) for service, count in fleet.items())
