#!/bin/sh
# service.sh SERVICES: fails with a message if it is empty.
. "$(dirname "$0")/lib.sh"
example=$(find values -maxdepth 1 -name '*.yaml' 2>/dev/null | sort | head -n 1)
example=$(basename "${example:-nginx.yaml}" .yaml)
[ -n "${1:-}" ] || die "SERVICE is required, for example: make template SERVICE=$example"
