#!/bin/sh
# crds.sh: fetches Kargo's CRDs into .tools/kargo-crds from the Go module proxy, as tests/upstream/go.mod and go.sum pin them.
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=local GOWORK=off GOFLAGS=

module=github.com/akuity/kargo
pinned=$(awk -v module="$module" '$1 == module { print $2; exit }' tests/upstream/go.mod)
current() { [ "$(cat .tools/kargo-crds/.version 2>/dev/null)" = "$pinned" ]; }

current && exit 0
tools/bootstrap/go.sh
lock crds
current && exit 0
temporary
say ".tools/kargo-crds: fetching the CRDs of Kargo $pinned"
# Go would add a missing line to go.sum and continue.
cp tests/upstream/go.mod tests/upstream/go.sum "$temporary"
(cd "$temporary" && "$root/.tools/bin/go" mod download -json "$module" >answer 2>log) || {
  cat "$temporary/log" "$temporary/answer" >&2
  die "Kargo $pinned could not be fetched"
}
cmp -s tests/upstream/go.sum "$temporary/go.sum" || die "tests/upstream/go.sum does not pin Kargo $pinned"
folder=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' "$temporary/answer")
mkdir "$temporary/crds"
cp "$folder"/charts/kargo/resources/crds/*.yaml "$temporary/crds"
chmod u+w "$temporary"/crds/*
echo "$pinned" >"$temporary/crds/.version"
rm -rf .tools/kargo-crds
mv "$temporary/crds" .tools/kargo-crds
