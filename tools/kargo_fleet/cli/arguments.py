"""The arguments of the command line, one function per command. A command's own module is imported only when it runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeAlias

from kargo_fleet import __version__
from kargo_fleet.errors import FleetError
from kargo_fleet.text.words import did_you_mean

USAGE = 2  # exit status: wrong usage or environment
_EPILOG = "exit status: 0 done, 1 problems found in the input, 2 wrong usage or environment"


class Parser(argparse.ArgumentParser):
    """argparse, with a guess after a typo."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}\nTry `{self.prog} --help`.\n")

    def refuse(self, unknown: str) -> NoReturn:
        """Leave because of an option that this command does not have."""
        option = unknown.partition("=")[0]
        hint = did_you_mean(option, self._option_string_actions)
        if option == "-C":
            hint = "it goes in front of the command: kargo-fleet -C DIR …"
        self.error(f"{option} is unknown{hint and f'; {hint}'}")

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), choices, f"choose from {', '.join(choices)}")
            raise argparse.ArgumentError(action, f"{value!r} is unknown; {hint}")


_Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def parser() -> Parser:
    """Return the parser of the whole command line. What it returns carries `run`, a function, and `parser`, the command's."""
    root = Parser(
        prog="kargo-fleet",
        description="One Kargo project per service, for hundreds and thousands of services, from one GitOps repository.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"kargo-fleet {__version__}")
    root.add_argument("-C", dest="directory", default=".", metavar="DIR", help="work on the repository in DIR")
    commands = root.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _add_generate(commands)
    _add_check(commands)
    _add_adopt(commands)
    _add_render(commands)
    _add_deploy(commands)
    _add_delete(commands)
    _add_credentials(commands)
    _add_doctor(commands)
    _add_plan(commands)
    _add_schema(commands)
    return root


def _add(
    commands: _Commands,
    name: str,
    summary: str,
    example: str,
    run: Callable[[argparse.Namespace, Path], int],
    *,
    reports: bool = True,
) -> Parser:
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{_EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    if reports:
        default = "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"
        parser.add_argument(
            "--output",
            choices=["text", "json", "github"],
            default=default,
            help="format (default: text; github in GitHub Actions)",
        )
    return parser


def _add_services(parser: Parser) -> None:
    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help="only these services (default: all, and argocd/)"
    )


def _add_no_cache(parser: Parser) -> None:
    parser.add_argument("--no-cache", action="store_true", help="rely on nothing that earlier runs found out")


def _add_generate(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.generate import generate
        from kargo_fleet.generate.apply import Mode
        from kargo_fleet.terminal.reporters import Format

        return generate(
            root,
            arguments.services,
            image_repository=arguments.image_repository,
            git_repo_url=arguments.git_repo_url,
            mode=Mode.DRY_RUN if arguments.dry_run else Mode.WRITE,
            force=arguments.force,
            diff=arguments.diff,
            prune=arguments.prune,
            use_cache=not arguments.no_cache,
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
    _add_no_cache(parser)


def _add_check(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.check import check
        from kargo_fleet.terminal.reporters import Format

        return check(root, arguments.services, use_cache=not arguments.no_cache, output=Format(arguments.output))

    summary = "validate everything and say what is wrong or out of date, writing nothing"
    parser = _add(commands, "check", summary, "kargo-fleet check --output json", run)
    _add_services(parser)
    _add_no_cache(parser)


def _add_adopt(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.adopt import adopt
        from kargo_fleet.terminal.reporters import Format

        return adopt(root, arguments.services, output=Format(arguments.output))

    summary = "move edits of values/<service>.yaml into the service's kargo.yaml"
    parser = _add(commands, "adopt", summary, "kargo-fleet adopt nginx", run)
    parser.add_argument("services", nargs="+", metavar="SERVICE", help="services whose values files were edited")


def _add_render(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.render import render
        from kargo_fleet.terminal.reporters import Format

        if arguments.crds and not arguments.validate:
            raise FleetError("--crds needs --validate")
        return render(
            root,
            arguments.services,
            output_dir=arguments.output_dir,
            validate=arguments.validate,
            crds_path=arguments.crds,
            output=Format(arguments.output),
        )

    summary = "print the manifests of every unit, as `helm template` does, in a fraction of the time"
    parser = _add(commands, "render", summary, "kargo-fleet render --output-dir manifests --validate", run)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="only these services (default: all)")
    parser.add_argument("--output-dir", metavar="D", help="write D/<service>.yaml instead of printing")
    parser.add_argument("--validate", action="store_true", help="hold the manifests to Kargo's CRDs")
    parser.add_argument(
        "--crds", metavar="PATH", help="file or folder of the CRDs (default: .tools/kargo-crds, else the cluster's)"
    )


def _add_context(parser: Parser) -> None:
    parser.add_argument("--context", default="", metavar="C", help="kubectl context (default: the current one)")


def _add_deploy(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.deploy import deploy
        from kargo_fleet.terminal.reporters import Format

        return deploy(
            root,
            arguments.services,
            context=arguments.context,
            skip_namespace=arguments.skip_namespace,
            dry_run=arguments.dry_run,
            force=arguments.force,
            jobs=arguments.jobs,
            yes=arguments.yes,
            output=Format(arguments.output),
        )

    summary = "install or upgrade the units of services with Helm, for clusters without Argo CD"
    parser = _add(commands, "deploy", summary, "kargo-fleet deploy nginx", run)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="only these services (default: all)")
    _add_context(parser)
    parser.add_argument(
        "--skip-namespace", action="store_true", help="do not create namespaces, they are there already"
    )
    parser.add_argument("--dry-run", action="store_true", help="render, compare with the cluster, and change nothing")
    parser.add_argument("--force", action="store_true", help="upgrade also what is up to date")
    parser.add_argument(
        "--jobs", type=_jobs, default=0, metavar="N", help="how many at once (default: two per processor)"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _add_delete(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.delete import delete
        from kargo_fleet.terminal.reporters import Format

        if bool(arguments.services) == arguments.all:
            raise FleetError("name the services, or say --all")
        return delete(
            root,
            arguments.services,
            everything=arguments.all,
            context=arguments.context,
            yes=arguments.yes,
            output=Format(arguments.output),
        )

    summary = "take units out of the cluster, with their promotions and history"
    parser = _add(commands, "delete", summary, "kargo-fleet delete nginx", run)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="services whose units go")
    parser.add_argument("--all", action="store_true", help="every unit in the cluster that the chart made")
    _add_context(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _add_credentials(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.credentials import credentials
        from kargo_fleet.onboard.secret import SecretKind

        return credentials(
            root,
            SecretKind(arguments.kind),
            username=arguments.username,
            namespace=arguments.namespace,
            name=arguments.name,
            from_env=arguments.from_env,
            group=arguments.group,
        )

    summary = "print the Secret that gives Kargo access to the repository or the registry, for all Projects"
    example = "kargo-fleet credentials git --from-env GIT_TOKEN | kubectl apply --server-side -f -"
    parser = _add(commands, "credentials", summary, example, run, reports=False)
    parser.add_argument(
        "kind", choices=["git", "image"], help="access to what: git.repoURL, or images of image.registry"
    )
    parser.add_argument("--username", default="kargo", metavar="U", help="user name (default: kargo)")
    parser.add_argument("--from-env", default="", metavar="VAR", help="environment variable that holds the password")
    parser.add_argument("--group", default="", metavar="G", help="image: the registry of this group of fleet.yaml")
    parser.add_argument("--name", default="", metavar="N", help="name of the Secret")
    parser.add_argument(
        "--namespace", default="kargo-shared-resources", metavar="NS", help="where (default: kargo-shared-resources)"
    )


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64")
    return int(text)


def _add_doctor(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.doctor import doctor
        from kargo_fleet.terminal.reporters import Format

        return doctor(
            root,
            arguments.services,
            context=arguments.context,
            compare=arguments.drift,
            output=Format(arguments.output),
        )

    summary = "read the cluster, and say what is wrong with the units and what to do"
    parser = _add(commands, "doctor", summary, "kargo-fleet doctor nginx", run)
    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help="only these services, in more detail (default: all)"
    )
    _add_context(parser)
    parser.add_argument("--drift", action="store_true", help="compare every unit with its values file, too")


def _add_plan(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.plan import plan
        from kargo_fleet.terminal.reporters import Format

        settings = list(arguments.set)
        if arguments.releases_per_day is not None:
            settings.append(f"releasesPerServicePerDay={arguments.releases_per_day}")
        return plan(
            root,
            services=arguments.services,
            interval=arguments.interval,
            shards=arguments.shards,
            settings=settings,
            output=Format(arguments.output),
        )

    summary = (
        "work out what the fleet asks of Kargo, registries, Git, Argo CD and etcd, what breaks first, and what to set"
    )
    parser = _add(commands, "plan", summary, "kargo-fleet plan --services 5000 --interval 1h", run)
    parser.add_argument(
        "--services", type=_count, metavar="N", help="as if there were N services, in the same proportions"
    )
    parser.add_argument(
        "--interval", type=_seconds, metavar="D", help="as if every Warehouse had this interval, such as 1h"
    )
    parser.add_argument("--shards", type=_count, metavar="N", help="as if N controllers shared the units equally")
    parser.add_argument(
        "--releases-per-day", metavar="X", help="releases of a service in a day (releasesPerServicePerDay)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="assume this instead of what plan: of fleet.yaml says",
    )


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("a number from 1 to 1000000")
    return int(text)


def _seconds(text: str) -> float:
    from kargo_fleet.text.durations import is_duration, seconds

    if not is_duration(text):
        raise argparse.ArgumentTypeError("a duration such as 15m or 1h")

    return seconds(text)


def _add_schema(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.schema import schema
        from kargo_fleet.terminal.reporters import Format

        return schema(root, output=Format(arguments.output))

    summary = "write the JSON Schemas of fleet.yaml and kargo.yaml into schemas/, for editors"
    _add(commands, "schema", summary, "kargo-fleet -C ../platform schema", run)
