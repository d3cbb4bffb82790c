#!/bin/sh
# docs.sh DIR: writes the README.md of the charts in DIR.
. "$(dirname "$0")/lib.sh"
.tools/bin/helm-docs --chart-search-root "$1" --sort-values-order file --skip-version-footer --log-level warning
