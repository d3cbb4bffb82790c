"""The bill of materials, as CycloneDX: the same bytes for the same commit."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from release.pins import GoPin, PythonPin

#: Serial numbers are derived from the content, in this namespace: RFC 4122, version 5.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "kargo-fleet")


def write_bom(version: str, python: Sequence[PythonPin], go: Sequence[GoPin], made: datetime) -> str:
    """Return CycloneDX JSON: the package with its pinned dependencies, and the modules of the tools that make builds."""
    product = _product(version)
    packages = [(pin, _package(pin)) for pin in python]
    direct = [component for pin, component in packages if pin.direct]
    depends = [_needs(product, direct)]
    for pin, component in packages:
        depends.append(_needs(component, [other for user, other in packages if pin.name in user.needed_by]))
    bom = Bom(
        components=[*(component for _, component in packages), *map(_module, go)],
        dependencies=depends,
        metadata=BomMetaData(component=product, timestamp=made),
        serial_number=_NAMESPACE,
    )
    bom.serial_number = uuid.uuid5(_NAMESPACE, JsonV1Dot6(bom).output_as_string())
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _needs(component: Component, others: Iterable[Component]) -> Dependency:
    return Dependency(component.bom_ref, [Dependency(other.bom_ref) for other in others])


def _product(version: str) -> Component:
    """Return the package. It is not on the public index: `pkg:pypi/kargo-fleet` would be somebody else's."""
    return Component(
        name="kargo-fleet",
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="kargo-fleet",
        purl=PackageURL("generic", name="kargo-fleet", version=version),
        licenses=[LicenseExpression("Apache-2.0")],
    )


def _package(pin: PythonPin) -> Component:
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(purl.to_string()),
        comment="one of the files with these hashes",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in pin.hashes],
    )
    marker = [Property(name="kargo-fleet:marker", value=pin.marker)] if pin.marker else []
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        scope=ComponentScope.REQUIRED,
        external_references=[files],
        properties=marker,
    )


def _module(pin: GoPin) -> Component:
    """Return a Go module. Its sum is Go's own hash over a folder, not that of a file: it is no CycloneDX hash."""
    namespace, _, name = pin.path.rpartition("/")
    purl = PackageURL("golang", namespace=namespace or None, name=name, version=pin.version)
    return Component(
        name=pin.path,
        version=pin.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        scope=ComponentScope.OPTIONAL,
        properties=[Property(name="kargo-fleet:go.sum", value=pin.sum)],
    )
