#!/bin/sh
# variables.sh MAKEFILE "TARGET…" NAME=VALUE…: prints ok if the targets know these variables of make's command line. They are
# those in the brackets at the end of a target's line: `NAME=` takes any value, `NAME=1` is a switch.
. "$(dirname "$0")/lib.sh"
makefile=$1 targets=$2; shift 2

known=$(for target in $targets; do
  sed -n "s/^$target:.*\[\(.*\)\]\$/\1/p" "$makefile"
done | sed 's/"[^"]*"//g' | tr ' ' '\n' | grep = || :)

status=ok
for given; do
  name=${given%%=*} value=${given#*=}
  case $name in PYTHON | GO* | PIP_* | *_PROXY | *_proxy | MAKE*) continue ;; esac
  line=$(printf '%s\n' "$known" | grep "^$name=" | head -n 1 || :)
  if [ -z "$line" ]; then
    names=$(printf '%s\n' "$known" | sed 's/=.*//' | sort -u | paste -sd' ' - | sed 's/ /, /g')
    say "error: make $targets: unknown variable $name; ${names:+it knows }${names:-it takes none}"
    status=unknown
  elif [ "$line" = "$name=1" ]; then
    case $value in
      '' | 1 | true | yes | 0 | false | no) ;;
      *) say "error: make $targets: $name=$value is neither on (1, true, yes) nor off (0, false, no)"; status=unknown ;;
    esac
  fi
done
echo $status
