"""The tags that the values files of a service hold today: would its Warehouse take them, and are they tags at all?

A Warehouse whose constraint, strategy or regular expressions would not take the tag that runs probably takes no other one
either; then there is no Freight, and Kargo reports nothing. Selection is that of Kargo's pkg/image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from kargo_fleet.findings import Finding, Place, Problem
from kargo_fleet.text.go_regex import compiled
from kargo_fleet.text.semver import is_constraint, parse_version, satisfies
from kargo_fleet.text.words import enumerate_words
from kargo_fleet.unit.promoted_files import Present

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
#: What people write where nothing runs yet, in lowercase and without - and _.
_PLACEHOLDERS = frozenset(
    "0.0.0 changeme dummy initial none null placeholder replaceme tbd todo undefined unset".split()
)
_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9]*[-_.]")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_MUTABLE = frozenset("latest main master dev develop stable edge nightly".split())
_A_YEAR = 1000  # a major version from here on counts years or dates


class Taker(NamedTuple):
    """What decides which tags a subscription takes, and where it stands in the values."""

    strategy: str
    constraint: str
    strict: bool
    allow: tuple[str, ...]
    ignore: tuple[str, ...]
    path: str = "image"

    @property
    def key(self) -> str:
        """The key of its constraint."""
        return "semverConstraint" if self.path.endswith("chart") else "constraint"


class Held(NamedTuple):
    """A tag, or a chart's version, in the file of a stage, and what its Warehouses take, of which there is at least one."""

    stage: str
    file: str
    present: Present
    takers: tuple[Taker, ...]


def whole_image(key: str, present: Present, *, digest: bool = False) -> Problem | None:
    """Return the problem with a key that gets a tag or a digest, and holds something else today: promotions break it."""
    value = present.value
    gets = "digest" if digest else "tag"
    if not digest and re.fullmatch(r"sha256:[0-9a-f]*", value):
        message = f"{key} holds a digest ({value[:15]}…); promotions would write the tag there"
        return Problem(
            "KF403",
            message,
            f'set promotion.digestKey: {key}, and promotion.tagKey to the key of the tag, or to ""',
            position=present.position,
        )
    name = value.partition("@")[0]
    if "/" not in name and (":" not in name or name.startswith("sha256:")):
        return None
    message = f"{key} holds a whole image ({value}); promotions would write the {gets} alone there"
    updates = f'promotion: {{{gets}Key: "", updates: {{image: {{yaml: {{keys: {{{key}: image}}}}}}}}}}'
    return Problem("KF403", message, f"let promotions write the whole image: {updates}", position=present.position)


def findings(held: Iterable[Held], service: str) -> list[Finding]:
    """Return a warning for each tag that no Warehouse of its stage would take, at the first values file that holds it.

    A stage that waits for its first promotion since the constraint moved on is none: it has an older version than a
    stage whose tag the Warehouse takes.
    """
    stages: dict[tuple[str, tuple[Taker, ...]], list[Held]] = {}
    for one in held:
        stages.setdefault((_tag(one.present.value), one.takers), []).append(one)
    fitting = [key for key in stages if any(takes(taker, key[0]) for taker in key[1])]
    taken = [tag for tag, _ in fitting]
    found = []
    for (tag, takers), holders in stages.items():
        taker = takers[0]
        if (tag, takers) in fitting or _is_none(tag) or any(_lags(one, tag, taken) for one in takers):
            continue
        place = Place(holders[0].file, *holders[0].present.position)
        where = enumerate_words([one.stage for one in holders])
        who = "the Warehouse would never take" if len(takers) == 1 else "no Warehouse of the stage would ever take"
        message = f"{who} {tag}, the present tag of {where}: {why_not(taker, tag)}"
        found.append(Problem("KFW402", message, fix(taker, tag)).at(place, service))
    return found


def taker_of(image: Mapping[str, Any], path: str = "image") -> Taker:
    """Return what decides which tags a subscription to an image takes."""
    return Taker(
        image.get("imageSelectionStrategy") or "SemVer",
        image.get("constraint") or "",
        image.get("strictSemvers") is not False,
        tuple(image.get("allowTagsRegexes") or ()),
        tuple(image.get("ignoreTagsRegexes") or ()),
        path,
    )


def taker_of_chart(chart: Mapping[str, Any], path: str) -> Taker:
    """Return what decides which versions a subscription to a chart takes."""
    return Taker("SemVer", chart.get("semverConstraint") or "", strict=False, allow=(), ignore=(), path=path)


@lru_cache(maxsize=65536)
def takes(taker: Taker, tag: str) -> bool:
    """Return whether a subscription takes a tag."""
    return not why_not(taker, tag)


def why_not(taker: Taker, tag: str) -> str:
    """Return why a subscription does not take a tag, "" if it does."""
    if taker.strategy == "Digest":  # looks at one tag, and at no expression
        return (
            ""
            if tag == taker.constraint
            else f"{taker.path}.constraint is {taker.constraint}, the only tag with imageSelectionStrategy: Digest"
        )
    for index, regex in enumerate(taker.ignore):
        if _matches(regex, tag):
            return f"{taker.path}.ignoreTagsRegexes[{index}] is {regex}"
    if taker.allow and not any(_matches(regex, tag) for regex in taker.allow):
        return f"{taker.path}.allowTagsRegexes has only {enumerate_words(taker.allow)}"
    if taker.strategy != "SemVer":
        return ""
    if parse_version(tag, strict=False) is None:
        needs = "imageSelectionStrategy: SemVer requires" if taker.key == "constraint" else "charts have"
        return f"it is not a semantic version, which {needs}"
    version = parse_version(tag, strict=taker.strict)
    if version is None:
        return f"{taker.path}.strictSemvers requires three numbers without leading zeros"
    if taker.constraint and not satisfies(version, taker.constraint):
        return f'{taker.path}.{taker.key} is "{taker.constraint}"'
    return ""


def fix(taker: Taker, tag: str) -> str:
    """Return the settings with which a subscription would take a tag."""
    for settings, other in _others(taker, tag):
        if takes(other, tag):
            where = f"set image: {{{settings}}}" if taker.path == "image" else f"set {settings} in {taker.path}"
            return f"{where}; or correct the tag, if this version was never pushed"
    return f"change the settings of {taker.path} so that they match this tag, or correct the tag"


def _others(taker: Taker, tag: str) -> Iterator[tuple[str, Taker]]:
    """Yield settings that may take a tag, the smallest change first, as text and as what they make of a subscription."""
    version = parse_version(tag, strict=False)
    if taker.strategy == "SemVer" and version is not None:
        strict = "" if not taker.strict or parse_version(tag, strict=True) else "strictSemvers: false"
        yield strict, taker._replace(strict=not strict and taker.strict)
        pre = "-0" if version.prerelease else ""
        if version.major >= _A_YEAR:
            constraint = f">={version.major}.0.0{pre}"
        elif version.major:
            constraint = f"^{version.major}.0.0{pre}"
        else:
            constraint = f">=0.{version.minor}.0{pre} <1.0.0"
        assert is_constraint(constraint)
        settings = ", ".join(filter(None, [strict, f'{taker.key}: "{constraint}"']))
        yield settings, taker._replace(strict=not strict and taker.strict, constraint=constraint)
    if taker.key == "constraint" and (taker.strategy == "Digest" or tag in _MUTABLE):
        yield f"imageSelectionStrategy: Digest, constraint: {tag}", taker._replace(strategy="Digest", constraint=tag)
    regex = _regex_for(tag)
    if taker.key == "semverConstraint":
        return
    if taker.strategy == "SemVer" and not _is_ignored(taker, tag):
        settings = "imageSelectionStrategy: NewestBuild"
        if taker.allow and any(_matches(one, tag) for one in taker.allow):
            yield settings, taker._replace(strategy="NewestBuild")
        else:
            yield f"{settings}, allowTagsRegexes: ['{regex}']", taker._replace(strategy="NewestBuild", allow=(regex,))
    if not _is_ignored(taker, tag):
        yield f"allowTagsRegexes: ['{regex}']", taker._replace(allow=(regex,))
    kept = tuple(one for one in taker.ignore if not _matches(one, tag))
    yield f"ignoreTagsRegexes: [{', '.join(repr(one) for one in kept)}]", taker._replace(ignore=kept)


def _regex_for(tag: str) -> str:
    if _COMMIT.fullmatch(tag):
        return "^[0-9a-f]{7,40}$"
    prefix = _PREFIX.match(tag)
    if prefix is None:
        return "^v?[0-9]" if re.match("v?[0-9]", tag) else f"^{re.escape(tag)}"
    return f"^{prefix[0].replace('.', '[.]')}"


def _is_ignored(taker: Taker, tag: str) -> bool:
    return any(_matches(regex, tag) for regex in taker.ignore)


def _matches(regex: str, tag: str) -> bool:
    found = compiled(regex)
    return found is not None and found.search(tag) is not None


def _tag(value: str) -> str:
    """Return the tag of a present value; what pins its digest is not part of it."""
    return value.partition("@")[0]


def _is_none(tag: str) -> bool:
    """Return whether a value stands where no tag is yet."""
    return not _TAG.fullmatch(tag) or re.sub("[-_]", "", tag.lower()) in _PLACEHOLDERS


def _lags(taker: Taker, tag: str, taken: list[str]) -> bool:
    """Return whether a tag is an older version than one that the Warehouse takes."""
    if taker.strategy != "SemVer":
        return False
    version = parse_version(tag, strict=taker.strict)
    newer = [parse_version(other, strict=taker.strict) for other in taken]
    return version is not None and any(other is not None and version[:3] <= other[:3] for other in newer)
