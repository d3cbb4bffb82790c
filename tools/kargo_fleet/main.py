"""The command line: kargo-fleet COMMAND …"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

from kargo_fleet import __version__
from kargo_fleet.errors import FleetError

_USAGE, _INTERRUPTED, _BROKEN_PIPE = 2, 130, 141
_EPILOG = "exit status: 0 done, 1 problems found in the input, 2 wrong usage or environment"


class _Parser(argparse.ArgumentParser):
    """argparse, with a guess after a typo."""

    def error(self, message: str) -> NoReturn:
        self.exit(_USAGE, f"{self.prog}: {message}\nTry `{self.prog} --help`.\n")

    def refuse(self, unknown: str) -> NoReturn:
        """Leave because of an option that this command does not have."""
        option = unknown.partition("=")[0]
        close = difflib.get_close_matches(option, self._option_string_actions, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        if option == "-C":
            hint = "; it goes in front of the command: kargo-fleet -C DIR …"
        self.error(f"{option} is unknown{hint}")

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            close = difflib.get_close_matches(str(value), choices, n=1)
            hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"{value!r} is unknown; {hint}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    `argv` are the arguments without the program's name, those of the process by default.
    """
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        arguments.parser.refuse(unknown[0])
    run: Callable[[argparse.Namespace, Path], int] = arguments.run
    try:
        root = Path(arguments.directory)
        if not root.is_dir():
            raise FleetError(f"{root} is not a folder")
        return run(arguments, root)
    except FleetError as error:
        print(f"kargo-fleet: {error}", file=sys.stderr)
        return _USAGE
    except BrokenPipeError:
        raise  # whoever reads has read enough, which is for the whole program to handle
    except OSError as error:
        print(f"kargo-fleet: {_said(error)}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("kargo-fleet: interrupted; files are as they were or complete", file=sys.stderr)
        return _INTERRUPTED


def entry_point() -> NoReturn:
    """Run as a program."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # the names of files may be anything
    try:
        try:
            status = main()
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains on its way out
        status = _BROKEN_PIPE
    sys.exit(status)


def _said(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kargo-fleet",
        description="One Kargo project per service, for hundreds and thousands of services, from one GitOps repository.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kargo-fleet {__version__}")
    parser.add_argument("-C", dest="directory", default=".", metavar="DIR", help="work on the repository in DIR")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    _add_generate(commands)
    _add_check(commands)
    _add_adopt(commands)
    _add_schema(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[_Parser]"


def _add(
    commands: _Commands, name: str, summary: str, example: str, run: Callable[[argparse.Namespace, Path], int]
) -> _Parser:
    parser: _Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    default = "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"
    parser.add_argument(
        "--output",
        choices=["text", "json", "github"],
        default=default,
        help="format (default: text; github in GitHub Actions)",
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def _add_services(parser: _Parser) -> None:
    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help="only these services (default: all, and argocd/)"
    )


def _add_generate(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.generate import Mode, generate
        from kargo_fleet.reporters import Format

        return generate(
            root,
            arguments.services,
            image_repository=arguments.image_repository,
            git_repo_url=arguments.git_repo_url,
            mode=Mode.DRY_RUN if arguments.dry_run else Mode.WRITE,
            force=arguments.force,
            diff=arguments.diff,
            prune=arguments.prune,
            output=Format(arguments.output),
        )

    summary = "write values/<service>.yaml for every service in services/, and argocd/"
    parser = _add(commands, "generate", summary, "kargo-fleet generate nginx --diff --dry-run", run)
    _add_services(parser)
    parser.add_argument(
        "--image-repository", metavar="R", help="images are R/<service> (default: image.registry of fleet.yaml)"
    )
    parser.add_argument(
        "--git-repo-url", metavar="U", help="URL of the GitOps repository (default: git.repoURL of fleet.yaml)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that were edited by hand")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    parser.add_argument("--diff", action="store_true", help="show how each file changes")
    parser.add_argument("--prune", action="store_true", help="remove values files of services that are gone")


def _add_check(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.check import check
        from kargo_fleet.reporters import Format

        return check(root, arguments.services, output=Format(arguments.output))

    summary = "validate everything and say what is wrong or out of date, writing nothing"
    _add_services(_add(commands, "check", summary, "kargo-fleet check --output json", run))


def _add_adopt(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.adopt import adopt
        from kargo_fleet.reporters import Format

        return adopt(root, arguments.services, output=Format(arguments.output))

    summary = "move edits of values/<service>.yaml into the service's kargo.yaml"
    parser = _add(commands, "adopt", summary, "kargo-fleet adopt nginx", run)
    parser.add_argument("services", nargs="+", metavar="SERVICE", help="services whose values files were edited")


def _add_schema(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.schema import schema
        from kargo_fleet.reporters import Format

        return schema(root, output=Format(arguments.output))

    summary = "write the JSON Schemas of fleet.yaml and kargo.yaml into schemas/, for editors"
    _add(commands, "schema", summary, "kargo-fleet -C ../platform schema", run)


if __name__ == "__main__":
    entry_point()
