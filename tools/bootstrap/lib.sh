# shellcheck shell=sh
# Shared by the bootstrap scripts. They run in the repository's root, report on stderr, and do nothing if everything is current.
set -eu
cd "$(dirname "$0")/../.."
root=$(pwd -P)

say() { echo "$*" >&2; }
die() { say "error: $*"; exit 1; }

# at_least 4.3.1 4.3.0: succeeds if the first version is at least the second.
at_least() {
  awk -v have="$1" -v want="$2" 'BEGIN {
    split(have, h, "."); split(want, w, ".")
    for (i = 1; i <= 3; i++) { if (h[i] + 0 > w[i] + 0) exit 0; if (h[i] + 0 < w[i] + 0) exit 1 }
  }'
}

# on_path helm: prints the helm on PATH, if any, other than .tools/bin/helm.
on_path() {
  (PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$root/.tools/bin" | paste -sd: -) && command -v "$1")
}

# temporary: creates a folder, $temporary, that is removed when the script ends, except by kill -9 (then: `make clean`).
temporary() {
  mkdir -p .tools
  temporary=$(mktemp -d "$root/.tools/tmp.XXXXXX")
}

# lock NAME: waits until no other script holds the lock NAME. The lock of a script that was killed is taken over.
lock() {
  mkdir -p .tools
  while ! mkdir ".tools/lock.$1" 2>/dev/null; do
    sleep 1
    holder=$(cat ".tools/lock.$1/pid" 2>/dev/null || :)
    if [ -z "$holder" ] || ! kill -0 "$holder" 2>/dev/null; then rm -rf ".tools/lock.$1"; continue; fi
    [ -n "${waited:-}" ] || say "waiting for another make (process $holder)"
    waited=1
  done
  lock=.tools/lock.$1
  echo $$ >"$lock/pid"
}

leave() { rm -rf "${temporary:-}" "${lock:-}"; }
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# find_python: sets $python to $PYTHON, else to the first python3 that is new enough and can create virtual environments.
find_python() {
  reason='there is no python3 on PATH'
  for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || {
      [ -z "${PYTHON:-}" ] || reason="'$PYTHON' does not run"
      continue
    }
    if ! at_least "$version" 3.11; then
      reason="$python is $version"
    elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
      reason="$python has no venv (Debian and Ubuntu: apt install python3-venv)"
    else
      return 0
    fi
  done
  die "Python 3.11 or newer with venv is required, but $reason. To choose another Python: make PYTHON=/path/to/python3.12"
}
