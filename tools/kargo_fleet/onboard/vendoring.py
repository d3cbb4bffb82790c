"""A copy of the chart in a repository: made, and updated by a newer kargo-fleet as long as nobody has edited it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kargo_fleet.errors import FleetError
from kargo_fleet.files.reading import is_absent, read_bytes
from kargo_fleet.files.writing import FileWriter, folders_of
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet import chart_source
from kargo_fleet.fleet.chart import CHART_FILE, packaged, version_of
from kargo_fleet.fleet.config import FleetFile
from kargo_fleet.fleet.names import FLEET_FILE
from kargo_fleet.fleet.vendored import RECORD, VendoredChart, read_record, record_text, refusal

#: What belongs to the package; a checkout has tests, scenarios and the template of the README beside it.
_PACKAGE = (".helmignore", CHART_FILE, "README.md", "values.schema.json", "values.yaml", "templates/**/*")
_RELEASE = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(-.+)?")


@dataclass(frozen=True)
class Vendoring:
    """What `chart vendor` would do in the folder `path`: write `texts` and remove `stale`, by path in the folder.

    `findings` say what is kept. `own` is whether the folder is the very chart that comes with the tool. `known` are the files
    of the chart, in whose folders killed runs may have left something.
    """

    root: Path
    path: str
    version: str
    texts: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    own: bool = False
    known: tuple[str, ...] = ()

    @property
    def changes(self) -> list[tuple[str, str]]:
        """What is done to which file of the repository: created, updated, removed."""
        folder = self.root / self.path
        written = [("updated" if (folder / file).exists() else "created", f"{self.path}/{file}") for file in self.texts]
        return written + [("removed", f"{self.path}/{file}") for file in self.stale]

    def carry_out(self) -> Iterator[str]:
        """Write and remove the files, and yield the path of each. Raises OSError. The next run completes one that was killed.

        A new copy begins with the record, which tells whose it is. That of an older version is replaced last: until then it
        tells what has not been edited.
        """
        folder = self.root / self.path
        first = (RECORD,) if is_absent(folder / RECORD) else ()
        with FileWriter(self.root) as writer:
            writer.sweep(folders_of(f"{self.path}/{file}" for file in (RECORD, *self.known)))
            for file in sorted(self.texts, key=lambda name: (name not in first, name == RECORD)):
                if file == RECORD:
                    yield from self._remove(writer, folder)
                writer.write(f"{self.path}/{file}", self.texts[file])
                yield f"{self.path}/{file}"

    def _remove(self, writer: FileWriter, folder: Path) -> Iterator[str]:
        for file in self.stale:
            writer.remove(f"{self.path}/{file}")
            yield f"{self.path}/{file}"
            parent = (folder / file).parent
            if parent != folder and not any(parent.iterdir()):
                parent.rmdir()


def vendored_path(root: Path, file: FleetFile) -> str:
    """Return the folder that the chart is copied to: `chart.path` of fleet.yaml. Raises FleetError when that is elsewhere."""
    section = file.data.get("chart")
    path = chart_source.local_path(section)
    elsewhere = [key for key in ("oci", "helm", "git") if isinstance(section, Mapping) and section.get(key)]
    if path is None and elsewhere:
        raise FleetError(
            f"{FLEET_FILE} takes the chart from chart.{elsewhere[0]}, so no copy is needed\n"
            f"Set chart.path to copy it anyway, or remove chart.{elsewhere[0]}."
        )
    path = path or chart_source.DEFAULT_PATH
    if why := refusal(root, path, file.data.get("services")):
        raise FleetError(f"chart.path: {path!r} {why}")
    return path


def vendoring(root: Path, path: str, *, force: bool = False) -> Vendoring:
    """Return what brings the copy of the chart in the folder `path` to the version of this tool.

    An edited copy is kept as a whole, since half of it would be a chart that nobody has tested, unless `force`; files that
    do not belong to the chart are kept in any case.
    """
    source, folder = packaged(), root / path
    version = version_of(source)
    if folder.resolve() == source:
        return Vendoring(root, path, version, own=True)
    package = _texts(source)
    present = _present(folder)
    record = read_record(folder)
    wanted = VendoredChart(version, {file: _digest(text.encode()) for file, text in package.items()})
    findings = [] if force else _kept(path, present, record, wanted)
    if findings:
        return Vendoring(root, path, version, findings=tuple(findings))
    texts = {file: text for file, text in package.items() if present.get(file) != wanted.sums[file]}
    if record != wanted:
        texts[RECORD] = record_text(wanted)
    known = record.sums if record else {}
    stale = tuple(sorted(file for file in present if file in known and file not in package))
    foreign = [file for file in present if file not in known and file not in package]
    return Vendoring(
        root, path, version, texts, stale, tuple(_foreign(path, file) for file in sorted(foreign)), known=(*package,)
    )


def _kept(path: str, present: Mapping[str, str], record: VendoredChart | None, wanted: VendoredChart) -> list[Finding]:
    """Return why the folder is kept as it is; nothing when it may be written."""
    if record is None:
        if present.items() <= wanted.sums.items():  # nothing, or a part or all of this very chart
            return []
        message = "was not copied by kargo-fleet and is kept"
        fix = "run `kargo-fleet chart vendor --force` to replace it, or set chart.path to another folder"
        return [Finding(Place(path), "KF502", message, fix)]
    if _is_newer(record.version, wanted.version):
        message = f"this copy of the chart is of kargo-fleet {record.version}, and this is kargo-fleet {wanted.version}"
        fix = f"install kargo-fleet {record.version}, or run `kargo-fleet chart vendor --force` to go back"
        return [Finding(Place(f"{path}/{CHART_FILE}"), "KFW602", message, fix)]
    edited = [
        file for file, digest in sorted(present.items()) if digest not in (record.sums.get(file), wanted.sums.get(file))
    ]
    if record.sums == wanted.sums:
        code, end = "KFW501", ""
    else:
        code, end = "KF502", f"; the chart was not updated to {wanted.version}"
    fix = (
        "run `kargo-fleet chart vendor --force` to discard the edits, "
        f"or remove {path}/{RECORD} to maintain the chart yourself"
    )
    return [Finding(Place(f"{path}/{file}"), code, _edited(file, record) + end, fix) for file in edited]


def _edited(file: str, record: VendoredChart) -> str:
    return "was edited by hand and is kept" if file in record.sums else "was added by hand and is kept"


def _foreign(path: str, file: str) -> Finding:
    message = "does not belong to the chart and is kept"
    return Finding(Place(f"{path}/{file}"), "KFW503", message, "remove it, or move it to a chart of its own")


def _texts(chart: Path) -> dict[str, str]:
    """Return the files of the package, by path in the chart."""
    files = sorted(file for pattern in _PACKAGE for file in chart.glob(pattern) if file.is_file())
    return {
        file.relative_to(chart).as_posix(): read_bytes(file).decode("utf-8").replace("\r\n", "\n") for file in files
    }


def _present(folder: Path) -> dict[str, str]:
    """Return the checksums of the files in a folder, without the record and what editors and systems leave behind."""
    files = [
        file for file in folder.rglob("*") if file.is_file() and (file.name == ".helmignore" or file.name[0] != ".")
    ]
    return {file.relative_to(folder).as_posix(): _digest(read_bytes(file)) for file in files}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()  # git may have changed the line ends


def _is_newer(version: str, than: str) -> bool:
    return _order(version) > _order(than)


def _order(version: str) -> tuple[int, int, int, bool]:
    """Return what versions sort by: numbers, and a prerelease before its release."""
    found = _RELEASE.match(version)
    return (int(found[1]), int(found[2]), int(found[3]), found[4] is None) if found else (0, 0, 0, False)
