#!/bin/sh
# requirements.sh [--upgrade]: pins the dependencies of pyproject.toml, with hashes, for all platforms. Needs network access.
. "$(dirname "$0")/lib.sh"
find_python
temporary
"$python" -m venv "$temporary/venv"
PIP_USER=0 "$temporary/venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: \
  -r tools/bootstrap/requirements.txt

# pin FILE ARGUMENT…: writes FILE.
pin() {
  file=$1; shift
  say "$file"
  UV_CUSTOM_COMPILE_COMMAND='make requirements' "$temporary/venv/bin/uv" pip compile -q --universal --python-version 3.11 \
    --generate-hashes --output-file "$file" "$@" >/dev/null
}
pin requirements.txt pyproject.toml --group build "$@"
pin requirements-dev.txt --group dev --constraints requirements.txt "$@"
pin tools/cli/requirements.txt --group go "$@"
pin tools/bootstrap/requirements.txt --group lock "$@"
pin tools/audit/requirements.txt --group audit "$@"
pin requirements-bench.txt --group bench --constraints requirements.txt --constraints requirements-dev.txt "$@"
pin bench/tools/requirements.txt --group kapitan "$@"
