#!/bin/sh
# tool.sh NAME…: .tools/bin/NAME is built as tools/cli/go.mod and go.sum pin it. A helm on PATH that fits is used as it is.
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
unset GOOS GOARCH

# describe NAME: its package, its module, and the variable that its version goes to.
describe() {
  case $1 in
    helm) module=helm.sh/helm/v4 package=$module/cmd/helm variable=$module/internal/version.version ;;
    ct) module=github.com/helm/chart-testing/v3 package=$module/ct variable=$module/ct/cmd.Version ;;
    helm-unittest) module=github.com/helm-unittest/helm-unittest package=$module/cmd/helm-unittest variable=$module/internal/build.version ;;
    helm-docs) module=github.com/norwoodj/helm-docs package=$module/cmd/helm-docs variable=main.version ;;
    kubeconform) module=github.com/yannh/kubeconform package=$module/cmd/kubeconform variable=main.version ;;
    *) die "no such tool: $1" ;;
  esac
  pinned=$(awk -v module="$module" '$1 == module { print $2; exit }' tools/cli/go.mod)
}

fingerprint() { cat tools/cli/go.mod tools/cli/go.sum tools/bootstrap/tool.sh | cksum; }

# Of the pinned major version, and no older than the pinned minor one.
helm_fits() {
  version=$("$1" version --template '{{.Version}}' 2>/dev/null) || return 1
  version=${version#v} wanted=${pinned#v}
  [ "${version%%.*}" = "${wanted%%.*}" ] && at_least "$version" "${wanted%.*}"
}

current() {
  if [ -L ".tools/bin/$1" ]; then helm_fits ".tools/bin/$1"; return; fi
  [ -x ".tools/bin/$1" ] && [ "$(cat ".tools/stamp/$1" 2>/dev/null)" = "$(fingerprint)" ]
}

build() {
  describe "$1"
  if current "$1"; then return 0; fi
  if [ "$1" = helm ] && found=$(on_path helm) && helm_fits "$found"; then
    ln -sf "$found" .tools/bin/helm
    return 0
  fi
  tools/bootstrap/go.sh
  say ".tools/bin/$1: building $pinned$2"
  go=$root/.tools/bin/go
  (cd tools/cli && "$go" build -mod=readonly -buildvcs=false -trimpath -ldflags "-s -w -X $variable=$pinned" \
    -o "$temporary/$1" "$package") 2>"$temporary/log" || { cat "$temporary/log" >&2; die "$1 was not built"; }
  rm -f ".tools/stamp/$1"
  mv -f "$temporary/$1" ".tools/bin/$1"
  fingerprint >".tools/stamp/$1"
}

missing=
for name; do
  describe "$name"
  current "$name" || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

lock tools
temporary
mkdir -p .tools/bin .tools/stamp
for name in $missing; do
  case $name in helm) hint=' (a few minutes, once)' ;; *) hint= ;; esac
  build "$name" "$hint"
done
