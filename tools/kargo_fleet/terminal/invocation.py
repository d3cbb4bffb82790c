"""Commands in messages, in the form that works where the person stands: through make, by name, or by a path."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

#: The Makefile sets this variable to "make" for the program.
RUN_BY = "KARGO_FLEET_RUN_BY"
#: Where the Makefile has the program.
BUILT = ".venv/bin/kargo-fleet"

#: By command: its target in the Makefile, and by option the variable of that target. A variable that ends in `=` takes a value.
TARGETS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "generate": (
        "values",
        {
            "--image-repository": "IMAGE_REPOSITORY=",
            "--git-repo-url": "GIT_REPO_URL=",
            "--force": "FORCE=1",
            "--prune": "PRUNE=1",
            "--dry-run": "DRY_RUN=1",
            "--diff": "DIFF=1",
        },
    ),
    "check": ("check", {}),
    "capacity": ("capacity", {"--services": "SERVICES=", "--interval": "INTERVAL=", "--shards": "SHARDS="}),
    "render": ("render", {"--output-dir": "OUTPUT_DIR=", "--validate": "VALIDATE=1"}),
    "deploy": (
        "deploy",
        {
            "--context": "CONTEXT=",
            "--dry-run": "DRY_RUN=1",
            "--yes": "YES=1",
            "--force": "FORCE=1",
            "--stale": "STALE=1",
        },
    ),
    "delete": ("delete", {"--context": "CONTEXT=", "--yes": "YES=1"}),
    "doctor": ("doctor", {"--context": "CONTEXT=", "--drift": "DRIFT=1"}),
    "schema": ("schema", {}),
}
_VARIABLES = {option: variable for _, options in TARGETS.values() for option, variable in options.items()}

#: An option, with the `=` before its value, or the colon of a message about it.
_OPTION = re.compile(r"(?<![\w-])(--[a-z-]+)(?![\w-])([=:]?)")


@dataclass(frozen=True)
class Invocation:
    """How kargo-fleet is run: as `program`, on the repository in `directory` (the value of -C), or by make."""

    program: str = "kargo-fleet"
    directory: str = ""
    by_make: bool = False

    def pasteable(self, text: str) -> str:
        """Return a message with its commands, `kargo-fleet …` in backticks, as they can be pasted here.

        Where make was used, an option outside of a command is a variable, too: YES=1 instead of --yes.
        """
        parts = text.split("`")  # texts at even places, what stands in backticks at odd ones
        if self.by_make:
            parts[::2] = [_OPTION.sub(_variable, part) for part in parts[::2]]
        parts[1::2] = [self._command(part) for part in parts[1::2]]
        return "`".join(parts)

    def _command(self, command: str) -> str:
        program, _, arguments = command.partition(" ")
        if program != "kargo-fleet" or not arguments:
            return command
        if self.by_make:
            return _target(_words(arguments)) or f"{BUILT} {arguments}"
        names_one = arguments.startswith("-C ")
        directory = f" -C {shlex.quote(self.directory)}" if self.directory and not names_one else ""
        return f"{self.program}{directory} {arguments}"


def invocation(directory: str = "") -> Invocation:
    """Return how this process was run. `directory` is the value of -C."""
    if os.environ.get(RUN_BY) == "make":
        return Invocation(by_make=True)
    return Invocation(_program(sys.argv[0]), directory)


def _variable(found: re.Match[str]) -> str:
    """Return the variable of make for an option in a message: IMAGE_REPOSITORY=value, and IMAGE_REPOSITORY before a colon."""
    variable = _VARIABLES.get(found[1], "")
    if not variable:
        return found[0]
    return f"{variable.removesuffix('=')}:" if found[2] == ":" else variable


def _program(path: str) -> str:
    """Return what to type for the program that was started as `path`."""
    folder, name = os.path.split(path)
    if name == "__main__.py":
        return f"{os.path.basename(sys.executable)} -m kargo_fleet"
    if name != "kargo-fleet":
        return "kargo-fleet"  # a test, or a program that imports it
    on_path = shutil.which(name)
    if not folder or (on_path and os.path.realpath(on_path) == os.path.realpath(path)):
        return name
    return shlex.quote(path)


def _words(arguments: str) -> list[str]:
    """Return the words of a command as a shell splits them; none if it cannot: names in a message may hold quotes."""
    try:
        return shlex.split(arguments)
    except ValueError:
        return []


def _target(words: list[str]) -> str:
    """Return the call of make for a command, "" when the Makefile has none."""
    if not words:
        return ""
    target, options = TARGETS.get(words[0], ("", {}))
    if not target:
        return ""
    services, variables = [], []
    left = iter(words[1:])
    for word in left:
        if not word.startswith("-"):
            services.append(word)
        elif variable := options.get(word):
            variables.append(variable + shlex.quote(next(left, "")) if variable.endswith("=") else variable)
        else:
            return ""
    service = [f"SERVICE={shlex.quote(' '.join(services))}"] if services else []
    return " ".join(["make", target, *service, *variables])
