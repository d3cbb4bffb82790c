"""The arguments of the command line, one function per command. A command's module is imported only when it runs."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from kargo_fleet import __version__
from kargo_fleet.errors import FleetError
from kargo_fleet.fleet.names import FLEET_FILE, SHARED_RESOURCES
from kargo_fleet.terminal.output import document, visible
from kargo_fleet.text.words import did_you_mean

if TYPE_CHECKING:
    from kargo_fleet.terminal.reporters import Reporter

_SOME_AND_ARGOCD = "only these services, by name, glob or folder (default: all, and argocd/)"
USAGE = 2  # exit status: wrong usage or environment
_EPILOG = "exit status: 0 success, 1 problems reported, 2 wrong usage or environment"
_SHELLS = ("bash", "zsh", "fish")


class Help(argparse.HelpFormatter):
    """Help as wide as the terminal, up to 100 columns; lines that begin with a space are examples and stay as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)
        self._width = min(self._width, 100)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines = text.splitlines()
        return "\n".join(
            line if line.startswith(" ") else super(Help, self)._fill_text(line, width, indent) for line in lines
        )


class Parser(argparse.ArgumentParser):
    """argparse, with a suggestion after a typo, and without empty values.

    An empty value is a variable of the shell that is not set: `--context "$CONTEXT"` would choose the current context.
    """

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {visible(message)}\nTry `{self.prog} --help`.\n")

    def words(self) -> list[str]:
        """Return the words that this command knows beside its options, such as vendor of `chart vendor`."""
        return [word for action in self._actions if not action.option_strings for word in action.choices or ()]

    def refuse(self, unknown: str) -> NoReturn:
        """Exit with an error about an option or a word that this command does not have."""
        if unknown[:1] != "-":
            self.error(f"unexpected argument {unknown!r}")
        option = unknown.partition("=")[0]
        hint = did_you_mean(option, self._option_string_actions)
        if option == "-C":
            hint = "put it before the command: kargo-fleet -C DIR …"
        self.error(f"unknown option {option}{hint and f'; {hint}'}")

    def _check_value(self, action: argparse.Action, value: str) -> None:
        if value == "":
            raise argparse.ArgumentError(action, "must not be empty")
        if action.choices is not None and value not in action.choices:
            hint = did_you_mean(str(value), action.choices, f"choose from {', '.join(action.choices)}")
            if isinstance(action, argparse._SubParsersAction):
                self.error(f"unknown command {value!r}; {hint}")
            raise argparse.ArgumentError(action, f"unknown value {value!r}; {hint}")


_Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def parser() -> Parser:
    """Return the parser of the whole command line. Its result has `run`, a function, and `parser`, that of the command."""
    root = Parser(
        prog="kargo-fleet",
        description="Manage one Kargo project per service, for thousands of services, from one GitOps repository.",
        epilog=f"`kargo-fleet help deploy` explains a command, `kargo-fleet explain KF401` a finding.\n{_EPILOG}",
        formatter_class=Help,
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"kargo-fleet {__version__}")
    root.add_argument(
        "-C",
        dest="directory",
        metavar="DIR",
        help="work on the repository in DIR, or in the closest parent folder with a fleet.yaml (default: this folder)",
    )
    commands = root.add_subparsers(metavar="COMMAND", parser_class=Parser)
    _add_generate(commands)
    _add_check(commands)
    _add_policy(commands)
    _add_adopt(commands)
    _add_render(commands)
    _add_deploy(commands)
    _add_delete(commands)
    _add_credentials(commands)
    _add_doctor(commands)
    _add_capacity(commands)
    _add_schema(commands)
    _add_init(commands)
    _add_chart(commands)
    _add_explain(commands)
    _add_completion(commands)
    _add_help(commands, root)
    return root


def _add(
    commands: _Commands,
    name: str,
    summary: str,
    example: str,
    run: Callable[[argparse.Namespace, Path], int],
    *,
    page: str,
    reports: bool = True,
) -> Parser:
    """Add a command. `page` is where it is documented."""
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}\n\n{_EPILOG}\ndocumentation: kargo-fleet explain {page}",
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    if reports:
        default = "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"
        parser.add_argument(
            "-o",
            "--output",
            choices=["text", "json", "github"],
            default=default,
            help="output format (default: text, in GitHub Actions github)",
        )
        parser.add_argument("-q", "--quiet", action="store_true", help="print findings and data only")
    return parser


def _reporter(arguments: argparse.Namespace) -> Reporter:
    from kargo_fleet.terminal.invocation import invocation
    from kargo_fleet.terminal.reporters import Format, Reporter

    return Reporter(Format(arguments.output), arguments.quiet, invocation(arguments.directory or ""))


def _add_services(parser: Parser, help_: str, *, nargs: str = "*") -> None:
    services = parser.add_argument("services", nargs=nargs, metavar="SERVICE", help=help_)
    services.completer = _completed_services  # type: ignore[attr-defined]


def _completed_services(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """Return the services of the repository, for the shell's completion."""
    from kargo_fleet.fleet import scan
    from kargo_fleet.fleet.load import load_sound

    root = repository(parsed_args.directory)
    return scan.services(load_sound(root).fleet)[0]


def _add_no_cache(parser: Parser) -> None:
    parser.add_argument("--no-cache", action="store_true", help="ignore the cache")


def _add_generate(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.generate import generate
        from kargo_fleet.generate.apply import Mode

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
            reporter=_reporter(arguments),
        )

    summary = "write values/<service>.yaml for every service in services/, argocd/ and, if asked for, policy/"
    parser = _add(
        commands, "generate", summary, "kargo-fleet generate nginx --diff --dry-run", run, page="docs/repository.md"
    )
    _add_services(parser, _SOME_AND_ARGOCD)
    parser.add_argument(
        "--image-repository", metavar="REPO", help="use images REPO/<service> (default: image.registry of fleet.yaml)"
    )
    parser.add_argument(
        "--git-repo-url", metavar="URL", help="URL of the GitOps repository (default: git.repoURL of fleet.yaml)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that were edited by hand")
    parser.add_argument("--dry-run", action="store_true", help="report what would be written, and write nothing")
    parser.add_argument("--diff", action="store_true", help="show the changes of each file as a diff")
    parser.add_argument("--prune", action="store_true", help="remove values files of services that no longer exist")
    _add_no_cache(parser)


def _add_check(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.check import check

        return check(
            root,
            arguments.services,
            online=arguments.online,
            use_cache=not arguments.no_cache,
            reporter=_reporter(arguments),
        )

    summary = "validate everything and report errors and outdated files; write nothing"
    parser = _add(commands, "check", summary, "kargo-fleet check --output json", run, page="docs/findings.md")
    _add_services(parser, _SOME_AND_ARGOCD)
    parser.add_argument(
        "--online", action="store_true", help="also look at the chart in its registry or in another repository"
    )
    _add_no_cache(parser)


def _add_policy(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.policy import policy

        record = arguments.action == "record"
        if record and arguments.file:
            raise FleetError("record is for the policy of fleet.yaml, not for that of --file")
        file = _from_here(arguments, root, arguments.file)
        return policy(root, file=root / file if file else None, record=record, reporter=_reporter(arguments))

    summary = "count the violations of each rule, try another policy, or record today's"
    parser = _add(commands, "policy", summary, "kargo-fleet policy --file stricter.yaml", run, page="docs/policy.md")
    parser.add_argument(
        "action",
        nargs="?",
        choices=["record"],
        metavar="{record}",
        help="record: write the violations of today to policy-recorded.yaml, so that only others fail",
    )
    parser.add_argument(
        "--file", metavar="FILE", help="a YAML file with `policy`, to try instead of that of fleet.yaml"
    )


def _add_adopt(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.adopt import adopt

        return adopt(root, arguments.services, reporter=_reporter(arguments))

    summary = "move manual edits of values/<service>.yaml into the service's kargo.yaml"
    parser = _add(commands, "adopt", summary, "kargo-fleet adopt nginx", run, page="docs/repository.md")
    _add_services(parser, "services whose values files were edited", nargs="+")


def _add_render(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.render import render

        if arguments.crds and not arguments.validate:
            raise FleetError("--crds requires --validate")
        return render(
            root,
            arguments.services,
            output_dir=_from_here(arguments, root, arguments.output_dir),
            validate=arguments.validate,
            crds_path=_from_here(arguments, root, arguments.crds),
            reporter=_reporter(arguments),
        )

    summary = "print the manifests of every unit, as `helm template` does, but faster"
    parser = _add(
        commands,
        "render",
        summary,
        "kargo-fleet render --output-dir manifests --validate",
        run,
        page="docs/rendering.md",
    )
    _add_services(parser, "only these services (default: all)")
    parser.add_argument("--output-dir", metavar="DIR", help="write DIR/<service>.yaml instead of printing")
    parser.add_argument("--validate", action="store_true", help="validate the manifests against Kargo's CRDs")
    parser.add_argument(
        "--crds",
        metavar="PATH",
        help="file or folder with Kargo's CRDs (default: .tools/kargo-crds, else the cluster's)",
    )


def _add_context(parser: Parser) -> None:
    parser.add_argument("--context", default="", metavar="NAME", help="kubectl context (default: the current context)")


def _add_deploy(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.deploy import deploy

        return deploy(
            root,
            arguments.services,
            context=arguments.context,
            skip_namespace=arguments.skip_namespace,
            dry_run=arguments.dry_run,
            force=arguments.force,
            jobs=arguments.jobs,
            stale=arguments.stale,
            yes=arguments.yes,
            reporter=_reporter(arguments),
        )

    summary = "install or upgrade units with Helm, for clusters without Argo CD"
    parser = _add(commands, "deploy", summary, "kargo-fleet deploy nginx", run, page="docs/deploying.md")
    _add_services(parser, "only these services (default: all)")
    _add_context(parser)
    parser.add_argument(
        "--skip-namespace", action="store_true", help="do not create namespaces; they must exist already"
    )
    parser.add_argument("--dry-run", action="store_true", help="render, compare with the cluster, and change nothing")
    parser.add_argument("--force", action="store_true", help="upgrade releases that are already up to date")
    parser.add_argument(
        "--jobs", type=_jobs, default=0, metavar="N", help="Helm processes at a time (default: two per processor)"
    )
    parser.add_argument("--stale", action="store_true", help="also deploy values files that are out of date")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _add_delete(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.delete import delete

        if bool(arguments.services) == arguments.all:
            raise FleetError("name the services to delete, or pass --all, not both")
        return delete(
            root,
            arguments.services,
            everything=arguments.all,
            context=arguments.context,
            yes=arguments.yes,
            reporter=_reporter(arguments),
        )

    summary = "delete units from the cluster, with their promotions and history"
    parser = _add(commands, "delete", summary, "kargo-fleet delete nginx", run, page="docs/removing.md")
    _add_services(parser, "services whose units are deleted")
    parser.add_argument("--all", action="store_true", help="delete every unit in the cluster that the chart created")
    _add_context(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


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
    parser = _add(commands, "credentials", summary, example, run, page="docs/credentials.md", reports=False)
    parser.add_argument(
        "kind",
        choices=["git", "image"],
        metavar="{git,image}",
        help="git: access to git.repoURL; image: access to images of image.registry",
    )
    parser.add_argument("--username", default="kargo", metavar="NAME", help="user name (default: kargo)")
    parser.add_argument(
        "--from-env", default="", metavar="VAR", help="environment variable with the password (default: no password)"
    )
    parser.add_argument(
        "--group", default="", metavar="GROUP", help="with image: use the registry of this group of fleet.yaml"
    )
    parser.add_argument(
        "--name", default="", metavar="NAME", help="name of the Secret (default: kargo-fleet-<kind>[-<group>])"
    )
    parser.add_argument(
        "--namespace",
        default=SHARED_RESOURCES,
        metavar="NAME",
        help="namespace of the Secret (default: %(default)s)",
    )


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError("must be a number from 1 to 64")
    return int(text)


def _add_doctor(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.doctor import doctor

        return doctor(
            root,
            arguments.services,
            context=arguments.context,
            compare=arguments.drift,
            reporter=_reporter(arguments),
        )

    summary = "report problems of the units in the cluster, each with a fix"
    parser = _add(commands, "doctor", summary, "kargo-fleet doctor nginx", run, page="docs/doctor.md")
    _add_services(parser, "only these services, in more detail (default: all)")
    _add_context(parser)
    parser.add_argument("--drift", action="store_true", help="also compare every unit with its values file")


def _add_capacity(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.capacity import capacity

        settings = list(arguments.set)
        if arguments.releases_per_day is not None:
            settings.append(f"releasesPerServicePerDay={arguments.releases_per_day}")
        return capacity(
            root,
            services=arguments.services,
            interval=arguments.interval,
            shards=arguments.shards,
            settings=settings,
            reporter=_reporter(arguments),
        )

    summary = (
        "calculate the load on Kargo, registries, Git, Argo CD and etcd, which limit is reached first, and what to set"
    )
    parser = _add(
        commands, "capacity", summary, "kargo-fleet capacity --services 5000 --interval 1h", run, page="docs/scaling.md"
    )
    parser.add_argument(
        "--services",
        type=_count,
        metavar="N",
        help="assume N services in the same proportions (default: the present services)",
    )
    parser.add_argument(
        "--interval",
        type=_seconds,
        metavar="DURATION",
        help="assume this interval, such as 1h, for every Warehouse (default: its own)",
    )
    parser.add_argument(
        "--shards",
        type=_count,
        metavar="N",
        help="assume N controllers that share the units equally (default: the shards of the fleet)",
    )
    parser.add_argument(
        "--releases-per-day",
        metavar="N",
        help="assume N releases per service and day (default: capacity.releasesPerServicePerDay of fleet.yaml)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of capacity in fleet.yaml; can be repeated",
    )


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1000000")
    return int(text)


def _seconds(text: str) -> float:
    from kargo_fleet.text.durations import is_duration, seconds

    if not is_duration(text):
        raise argparse.ArgumentTypeError("must be a duration such as 15m or 1h")

    return seconds(text)


def _add_schema(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.schema import schema

        return schema(root, reporter=_reporter(arguments))

    summary = "write the JSON Schemas of fleet.yaml and kargo.yaml into schemas/, for editors"
    _add(commands, "schema", summary, "kargo-fleet -C ../platform schema", run, page="docs/configuration.md")


def _add_explain(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, _: Path) -> int:
        from kargo_fleet.commands.explain import explain

        return explain(arguments.codes)

    summary = "explain the code of a finding: what it means, why it matters, what to do"
    parser = _add(
        commands, "explain", summary, "kargo-fleet explain KF401", run, page="docs/findings.md", reports=False
    )
    code = parser.add_argument(
        "codes",
        nargs="*",
        metavar="CODE",
        help="such as KF401, or a page of the documentation such as docs/argocd.md (default: list all codes)",
    )
    code.completer = _completed_codes  # type: ignore[attr-defined]


def _completed_codes(**_: Any) -> list[str]:
    from kargo_fleet.commands.explain import titles

    return list(titles())


def _add_completion(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, _: Path) -> int:
        from argcomplete import shell_integration

        document(shell_integration.shellcode(["kargo-fleet"], shell=arguments.shell) + "\n")
        return 0

    summary = "print the code with which a shell completes commands, options, services and codes"
    example = 'eval "$(kargo-fleet completion bash)"'
    parser = _add(commands, "completion", summary, example, run, page="docs/command-line.md", reports=False)
    parser.add_argument("shell", choices=_SHELLS, help="the shell: bash, zsh or fish")


def _add_help(commands: _Commands, root: Parser) -> None:
    def run(arguments: argparse.Namespace, _: Path) -> int:
        asked = commands.choices[arguments.command] if arguments.command else root
        if arguments.word and arguments.word not in (known := asked.words()):
            hint = did_you_mean(arguments.word, known, "name one command")
            raise FleetError(f"the command {arguments.command} has no {arguments.word}; {hint}")
        asked.print_help()
        return 0

    summary = "print the help of a command"
    parser = _add(
        commands, "help", summary, "kargo-fleet help generate", run, page="docs/command-line.md", reports=False
    )
    parser.add_argument(
        "command", nargs="?", choices=[*commands.choices], metavar="COMMAND", help="default: all commands"
    )
    parser.add_argument("word", nargs="?", help=argparse.SUPPRESS)  # help chart vendor


def repository(directory: str | None) -> Path:
    """Return the repository to work on: the closest folder with a fleet.yaml, from `directory`, the value of -C, on upwards,
    or from the current folder, within the Git repository; without any, that folder itself.

    Raises FleetError when `directory` is not a folder.
    """
    start = Path(directory or "")
    if not start.is_dir():
        raise FleetError(f"{directory} is not a folder")
    from kargo_fleet.files.reading import is_absent

    here = start.resolve()
    for folder in (here, *here.parents):
        try:
            if not is_absent(folder / FLEET_FILE):
                return start if folder == here else folder
            if not is_absent(folder / ".git"):
                break
        except OSError:
            if folder == here:
                raise
            break  # of a folder above that may not be searched nothing is used
    return start


def _from_here(arguments: argparse.Namespace, root: Path, path: str | None) -> str | None:
    """Return a path of the command line, which is relative to the folder of -C or to this one, relative to the repository."""
    return None if path is None else os.path.relpath(os.path.join(arguments.directory or "", path), root)


def _add_chart(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.vendor import vendor

        return vendor(root, force=arguments.force, dry_run=arguments.dry_run, reporter=_reporter(arguments))

    summary = "copy the chart that comes with kargo-fleet into the repository, or update the copy"
    parser = _add(commands, "chart", summary, "kargo-fleet chart vendor", run, page="docs/upgrading.md")
    parser.add_argument(
        "action", choices=["vendor"], metavar="{vendor}", help="vendor: write the folder chart.path of fleet.yaml"
    )
    parser.add_argument("--force", action="store_true", help="replace a copy that was edited by hand")
    parser.add_argument("--dry-run", action="store_true", help="report what would be written, and write nothing")


def _add_init(commands: _Commands) -> None:
    def run(arguments: argparse.Namespace, root: Path) -> int:
        from kargo_fleet.commands.init import init

        if arguments.chart == "oci" and not arguments.oci_url:
            raise FleetError(
                "--chart oci requires --oci-url, the chart in your registry: oci://registry.example.com/org/kargo-service\n"
                f"Its version must be {__version__}; `helm push` puts it there."
            )
        if arguments.chart == "vendor" and arguments.oci_url:
            raise FleetError("--chart vendor and --oci-url are mutually exclusive")
        return init(root, oci=arguments.oci_url, dry_run=arguments.dry_run, reporter=_reporter(arguments))

    summary = "set up a Git repository that has services: fleet.yaml, the chart, schemas, a hook and a CI job"
    parser = _add(commands, "init", summary, "kargo-fleet init", run, page="docs/adopting.md")
    parser.add_argument(
        "--chart",
        choices=["vendor", "oci"],
        help="vendor: copy the chart into the repository (default); oci: take it from --oci-url",
    )
    parser.add_argument(
        "--oci-url", default="", metavar="URL", help="the chart in an OCI registry: oci://HOST/PATH/kargo-service"
    )
    parser.add_argument("--dry-run", action="store_true", help="report what would be written, and write nothing")
