#!/bin/sh
# service.sh NAME: fails with a message if NAME is missing or has no values file.
. "$(dirname "$0")/lib.sh"
example=$(find values -maxdepth 1 -name '*.yaml' 2>/dev/null | sort | head -n 1)
example=$(basename "${example:-nginx.yaml}" .yaml)
[ -n "${1:-}" ] || die "SERVICE is required, for example: make template SERVICE=$example"
[ -f "values/$1.yaml" ] || die "there is no values/$1.yaml: run 'make values', which writes one for each folder in services/"
