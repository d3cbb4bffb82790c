"""A rule as the cluster holds it: tests of objects, in CEL, and what of the rule cannot be said of objects."""

from __future__ import annotations

from typing import NamedTuple

from kargo_fleet.policy.cel import literal

#: Steps of the chart's own promotions: a Stage does not tell whose a step is.
CHART_STEPS = frozenset(
    "argocd-update git-clone git-commit git-merge-pr git-open-pr git-push git-wait-for-pr helm-template helm-update-chart"
    " kustomize-build kustomize-set-image yaml-update".split()
)


class Check(NamedTuple):
    """A test that holds for each object of some `kinds`, and what is wrong with one for which it does not.

    It names the variables of `admission.variables_of`.
    """

    kinds: str
    expression: str
    message: str

    @property
    def whole(self) -> str:
        """The test for objects of all kinds."""
        kinds = self.kinds.split()
        others = f"!(object.kind in {literal(kinds)})" if len(kinds) > 1 else f"object.kind != {literal(kinds[0])}"
        return f"{others} ||\n{self.expression}"


class InCluster(NamedTuple):
    """What the cluster holds of a rule; `left` says what it does not, "" for nothing."""

    checks: tuple[Check, ...] = ()
    left: str = ""

    @property
    def word(self) -> str:
        """yes, in part or no."""
        return "no" if not self.checks else "in part" if self.left else "yes"
