"""Files that promotions write and that are symbolic links: a promotion writes the file that the link leads to."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from kargo_fleet.files.reading import RepositoryReader
from kargo_fleet.findings import Finding, Place
from kargo_fleet.fleet.names import KUSTOMIZATIONS
from kargo_fleet.fleet.pipeline import Stage
from kargo_fleet.unit import clones


def linked_file_findings(
    reader: RepositoryReader, stages: Iterable[Stage], folder_of: Callable[[str], str], service: str
) -> Iterator[Finding]:
    """Yield the findings about links among the files that stages write on one branch; `folder_of` a stage is the service's.

    A link works if the promotion has checked out what it leads to, and no other stage writes that.
    """
    written = {(stage.name, file): stage for stage in stages for file in _files(reader, stage)}
    targets = {file: _target(reader, folder_of(name), file) for name, file in written}
    writers = {file: name for name, file in written if targets[file] == file}
    for (name, file), stage in written.items():
        target = targets[file]
        if target == file:
            continue
        fix = "replace the link with a file"
        other = writers.setdefault(target, name)
        if other != name:
            message = f"is a symbolic link to {target}, so promotions to {name} would write the file of {other}"
            yield Finding(Place(file), "KF305", message, fix, service)
        elif not _is_checked_out(stage, target):
            message = f"is a symbolic link to {target}, which promotions to {name} do not check out: they would fail"
            yield Finding(Place(file), "KF402", message, f"{fix}, or set `git: {{sparse: false}}`", service)


def _files(reader: RepositoryReader, stage: Stage) -> Iterator[str]:
    """Yield the files that a stage writes, as far as they exist."""
    for update in stage.updates:
        if update.kind != "kustomize":
            yield update.target
            continue
        if kustomization := clones.kustomization_in(reader, update.path):
            yield kustomization


def _is_checked_out(stage: Stage, file: str) -> bool:
    """Return whether the clone of a stage has a file, as far as its folders are known."""
    folders = [*stage.source_folders, *stage.sparse_folders]
    if not stage.is_sparse or not all(folders) or "." in folders or any("${{" in folder for folder in folders):
        return True
    return clones.has_files_of(posixpath.dirname(file), folders)


def _target(reader: RepositoryReader, folder: str, file: str) -> str:
    """Return the file that a path leads to. Links on the way to the service's folder are reported as such: KF210."""
    if file in reader.targets:
        return reader.targets[file]
    if posixpath.basename(file) in KUSTOMIZATIONS and (target := reader.target(file)):
        return target
    inner = file.removeprefix(f"{folder}/")
    start = "" if inner == file else f"{folder}/"
    for above in reversed([f"{start}{path}" for path in accumulate(inner.split("/")[:-1], "{}/{}".format)]):
        if target := reader.target(above):
            return f"{target}/{file[len(above) + 1 :]}"
    return file
