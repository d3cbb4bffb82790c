# shellcheck shell=sh
# What the bootstrap scripts share. They run from the repository's root, say what they do on stderr, and do nothing when all is there.
set -eu
cd "$(dirname "$0")/../.."
root=$(pwd -P)

say() { echo "$*" >&2; }
die() { say "error: $*"; exit 1; }

# at_least 4.3.1 4.3.0: is the first version at least the second?
at_least() {
  awk -v have="$1" -v want="$2" 'BEGIN {
    split(have, h, "."); split(want, w, ".")
    for (i = 1; i <= 3; i++) { if (h[i] + 0 > w[i] + 0) exit 0; if (h[i] + 0 < w[i] + 0) exit 1 }
  }'
}

# on_path helm: the helm on PATH, if any, that is not .tools/bin/helm itself.
on_path() {
  (PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$root/.tools/bin" | paste -sd: -) && command -v "$1")
}

# temporary: a folder, $temporary, that is gone when the script ends, however it ends (kill -9 aside: `make clean`).
temporary() {
  mkdir -p .tools
  temporary=$(mktemp -d "$root/.tools/tmp.XXXXXX")
}

# lock NAME: one at a time, for people with two terminals. The lock of a script that was killed is taken over.
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

# find_python: sets $python to $PYTHON, or else to the first python3 that is new enough and can make virtual environments.
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
  die "Python 3.11 or newer with venv is needed, and $reason. Another one is chosen with: make PYTHON=/path/to/python3.12"
}
