"""Property tests: the profiles of hypothesis, and how many examples a test tries."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

LOCAL, CI, QUICK = "local", "ci", "quick"
#: What `quick` leaves of every 100 examples, and how many an unmarked test has in the other profiles.
SHARE, USUAL = 20, 100


def load() -> None:
    """Register the profiles, and load the one for this machine. `--hypothesis-profile` overrides it.

    In CI every run tries the same examples: what fails there fails again, there and here, with CI=1.
    """
    # A loaded machine is no failure.
    local = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=USUAL)
    ci = settings(local, derandomize=True, print_blob=True)
    here = ci if os.environ.get("CI") else local
    settings.register_profile(LOCAL, local)
    settings.register_profile(CI, ci)
    settings.register_profile(QUICK, here, max_examples=SHARE)
    settings.load_profile(CI if here is ci else LOCAL)


def examples(count: int) -> settings:
    """Return the settings of a test that tries `count` examples; in the profile `quick` a share of them."""
    return settings(max_examples=max(1, count * settings.default.max_examples // USUAL))
