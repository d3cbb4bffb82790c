#!/bin/sh
# variables.sh MAKEFILE "TARGET…" NAME=VALUE…: prints ok if the targets know these variables of make's command line, and their
# values can be used. The known ones are those in the brackets at the end of a target's line: `NAME=` takes a value, `NAME=1`
# is a switch, `NAME_ARGS=` takes words of the shell. A known one in the environment is refused; kubectl's KUBECONFIG is not.
. "$(dirname "$0")/lib.sh"
makefile=$1 targets=$2; shift 2
newline='
'

known=$(set -f; for target in $targets; do
  case $target in *[!a-z-]*) continue ;; esac
  sed -n "s/^$target:.*\[\(.*\)\]\$/\1/p" "$makefile"
done | sed 's/"[^"]*"//g' | tr ' ' '\n' | grep = || :)

status=ok
refuse() { say "error: make $targets: $1"; status=refused; }

# check_value NAME VALUE: NAME takes a value.
check_value() {
  case $1 in *_ARGS) return 0 ;; esac
  case " $2" in
    *"$newline"*) refuse "$1 has several lines" ;;
    *[!\ ]*) case " $2" in *' -'*) refuse "$1=$2: a value must not begin with -" ;; esac ;;
    *) refuse "$1 is empty; leave it out, or give it a value" ;;
  esac
}

given=
for argument; do
  name=${argument%%=*} value=${argument#*=}
  given="$given $name "
  case $name in PYTHON | GO* | PIP_* | *_PROXY | *_proxy | MAKE*) continue ;; esac
  line=$(printf '%s\n' "$known" | grep "^$name=" | head -n 1 || :)
  if [ -z "$line" ]; then
    names=$(printf '%s\n' "$known" | sed 's/=.*//' | sort -u | paste -sd' ' - | sed 's/ /, /g')
    refuse "unknown variable $name; ${names:+it knows }${names:-it takes none}"
  elif [ "$line" = "$name=1" ]; then
    case $value in
      '' | 1 | true | yes | 0 | false | no) ;;
      *) refuse "$name=$value is neither on (1, true, yes) nor off (0, false, no)" ;;
    esac
  else
    check_value "$name" "$value"
  fi
done

for name in $(printf '%s\n' "$known" | sed 's/=.*//' | sort -u); do
  case "$given KUBECONFIG " in *" $name "*) continue ;; esac
  [ -z "$(printenv "$name")" ] || refuse "$name is set in the environment; pass it to make instead: unset $name, then make $targets $name=…"
done
echo $status
