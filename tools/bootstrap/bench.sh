#!/bin/sh
# bench.sh: .tools/bench holds what the benchmarks compare with: Go programs as bench/tools/go.mod pins them, kapitan from
# requirements.txt there, cdk8s from package-lock.json. What does not install is left out, and .tools/bench/NAME.log says why.
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
unset GOOS GOARCH
pins=bench/tools home=.tools/bench

# current NAME FILE…: was NAME made from these files?
current() {
  name=$1; shift
  [ -f "$home/stamp/$name" ] && [ "$(cat "$home/stamp/$name")" = "$(cat "$@" tools/bootstrap/bench.sh | cksum)" ]
}
done_with() { name=$1; shift; cat "$@" tools/bootstrap/bench.sh | cksum >"$home/stamp/$name"; }

# failed NAME: says why, and goes on: the others can be measured.
failed() {
  tail -n 20 "$temporary/$1.log" >&2
  say "$home: $1 is left out: it was not installed"
  cp "$temporary/$1.log" "$home/$1.log"
}

# program NAME PACKAGE HINT
program() {
  if current "$1" "$pins/go.mod" "$pins/go.sum"; then return 0; fi
  tools/bootstrap/go.sh bench
  say "$home/bin/$1: building$3"
  rm -f "$home/stamp/$1" "$home/bin/$1"
  if (cd "$pins" && "$root/.tools/bin/go" build -mod=readonly -buildvcs=false -trimpath -ldflags '-s -w' -o "$temporary/$1" "$2") \
    >"$temporary/$1.log" 2>&1; then
    mv -f "$temporary/$1" "$home/bin/$1"
    done_with "$1" "$pins/go.mod" "$pins/go.sum"
  else
    failed "$1"
  fi
}

kapitan() {
  if current kapitan "$pins/requirements.txt"; then return 0; fi
  find_python
  say "$home/kapitan: installing what $pins/requirements.txt pins"
  rm -rf "$home/stamp/kapitan" "$home/kapitan"
  if "$python" -m venv "$home/kapitan" >"$temporary/kapitan.log" 2>&1 &&
    PIP_USER=0 "$home/kapitan/bin/python" -m pip install -q --disable-pip-version-check --require-hashes \
      -r "$pins/requirements.txt" >>"$temporary/kapitan.log" 2>&1; then
    done_with kapitan "$pins/requirements.txt"
  else
    failed kapitan
  fi
}

cdk8s() {
  if current cdk8s "$pins/package.json" "$pins/package-lock.json"; then return 0; fi
  say "$home/cdk8s: installing what $pins/package-lock.json pins"
  rm -rf "$home/stamp/cdk8s" "$home/cdk8s"
  mkdir -p "$home/cdk8s"
  cp "$pins/package.json" "$pins/package-lock.json" "$home/cdk8s/"
  if command -v npm >/dev/null && (cd "$home/cdk8s" && npm ci --ignore-scripts --no-audit --no-fund) >"$temporary/cdk8s.log" 2>&1; then
    done_with cdk8s "$pins/package.json" "$pins/package-lock.json"
  else
    echo 'npm ci did not work (is npm on PATH?)' >>"$temporary/cdk8s.log"
    failed cdk8s
  fi
}

lock bench
temporary
mkdir -p "$home/bin" "$home/stamp"
rm -f "$home"/*.log
program jsonnet github.com/google/go-jsonnet/cmd/jsonnet ''
program kustomize sigs.k8s.io/kustomize/kustomize/v5 ''
program cue cuelang.org/go/cmd/cue ''
program helmfile github.com/helmfile/helmfile ' (a few minutes, once)'
kapitan
cdk8s
