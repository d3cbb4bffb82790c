#!/bin/sh
# venv.sh run|dev|bench: installs kargo-fleet and requirements.txt into .venv; with dev, also requirements-dev.txt, with
# bench, requirements-bench.txt. .venv/.run, .dev, .bench and .self record what was installed; .busy marks an interrupted
# installation.
. "$(dirname "$0")/lib.sh"

fingerprint() {
  { echo "$root"; .venv/bin/python -V; cat "$@"; } 2>/dev/null | cksum
}

current() {
  stamp=.venv/.$1; shift
  [ -f "$stamp" ] && [ ! -f .venv/.busy ] && [ "$(cat "$stamp")" = "$(fingerprint "$@")" ]
}

# chosen: succeeds unless PYTHON is another interpreter than that of .venv.
chosen() {
  [ -z "${PYTHON:-}" ] || [ "$(cat .venv/.python 2>/dev/null)" = "$PYTHON" ] ||
    [ "$("$PYTHON" -V 2>&1)" = "$(.venv/bin/python -V 2>&1)" ]
}

everything() {
  chosen && current run requirements.txt && current self pyproject.toml &&
    { [ "$1" = run ] || current "$1" "requirements-$1.txt"; }
}

install() { PIP_USER=0 .venv/bin/python -m pip install -q --disable-pip-version-check "$@" >&2; }

# pinned FILE: installs it. Wheels only: to build a source distribution, pip would fetch programs that no file pins, and run them.
pinned() {
  install --require-hashes --only-binary :all: -r "$1" ||
    die "$1 was not installed with Python $(.venv/bin/python -V | cut -c8-): see above. If a package has no wheel for it, choose another Python: make … PYTHON=python3.12"
}

everything "$1" && exit 0
lock venv
everything "$1" && exit 0

# stale dev: succeeds if it was installed and its pins have changed since.
stale() { [ -f ".venv/.$1" ] && [ "$(cat ".venv/.$1")" != "$(fingerprint "requirements-$1.txt")" ]; }

# Changed pins need a new environment, so that nothing of the old pins is left.
if ! chosen || ! current run requirements.txt || stale dev || stale bench; then
  find_python
  say ".venv: installing requirements.txt with Python $version"
  rm -rf .venv
  "$python" -m venv .venv
  pinned requirements.txt
  echo "$python" >.venv/.python
  fingerprint requirements.txt >.venv/.run
fi
touch .venv/.busy
if [ "$1" != run ] && [ ! -f ".venv/.$1" ]; then
  say ".venv: installing requirements-$1.txt"
  pinned "requirements-$1.txt"
  fingerprint "requirements-$1.txt" >".venv/.$1"
fi
install --no-index --no-deps --no-build-isolation --editable .
fingerprint pyproject.toml >.venv/.self
rm .venv/.busy
