#!/bin/sh
# service.sh NAME: a clear word when NAME is missing or has no values file.
. "$(dirname "$0")/lib.sh"
example=$(find values -maxdepth 1 -name '*.yaml' 2>/dev/null | sort | head -n 1)
example=$(basename "${example:-nginx.yaml}" .yaml)
[ -n "${1:-}" ] || die "which service? For example: make template SERVICE=$example"
[ -f "values/$1.yaml" ] || die "there is no values/$1.yaml: 'make values' writes one for each folder in services/"
