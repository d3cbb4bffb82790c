#!/bin/sh
# audit.sh: .tools/audit holds pip-audit as tools/audit/requirements.txt pins it, and govulncheck as tools/audit/go.mod does.
. "$(dirname "$0")/lib.sh"
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
unset GOOS GOARCH
pins=tools/audit home=.tools/audit

fingerprint() { cat "$pins/requirements.txt" "$pins/go.mod" "$pins/go.sum" tools/bootstrap/audit.sh | cksum; }
current() { [ "$(cat "$home/stamp" 2>/dev/null)" = "$(fingerprint)" ]; }

tools/bootstrap/go.sh
current && exit 0
lock audit
current && exit 0
temporary
find_python
say "$home: installing pip-audit and govulncheck"
rm -rf "$home"
mkdir -p "$home"
"$python" -m venv "$home/venv"
PIP_USER=0 "$home/venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: \
  -r "$pins/requirements.txt" >&2
(cd "$pins" && "$root/.tools/bin/go" build -mod=readonly -buildvcs=false -trimpath -ldflags '-s -w' \
  -o "$root/$home/govulncheck" golang.org/x/vuln/cmd/govulncheck) 2>"$temporary/log" || { cat "$temporary/log" >&2; die "govulncheck was not built"; }
fingerprint >"$home/stamp"
