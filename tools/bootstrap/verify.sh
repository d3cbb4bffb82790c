#!/bin/sh
# verify.sh: checks that all generated and committed files are current: generates them again in a copy and compares.
. "$(dirname "$0")/lib.sh"

set -- .git .venv .tools .ruff_cache .mypy_cache .pytest_cache .hypothesis __pycache__
temporary
copy=$temporary/tree
mkdir "$copy"
(for name; do echo "$name"; done) >"$temporary/ignored"
tar -cf - -X "$temporary/ignored" . | tar -xf - -C "$copy"

status=0
tools/bootstrap/docs.sh "$copy/charts" || status=1
.venv/bin/kargo-fleet -C "$copy" schema >"$temporary/log" 2>&1 || { cat "$temporary/log" >&2; status=1; }
.venv/bin/kargo-fleet -C "$copy" generate --force --prune >"$temporary/log" 2>&1 || { cat "$temporary/log" >&2; status=1; }
[ "$status" = 0 ] || die 'some files could not be generated'

if diff -ru -X "$temporary/ignored" . "$copy"; then
  say 'All generated files are current.'
else
  die "the files above are out of date: run 'make docs schema values' and commit the result"
fi
