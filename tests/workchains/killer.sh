#!/usr/bin/env bash
# killer.sh PID MARKER STEP DEED: do something once to the program that shell PID runs in this folder, when its log has
# come to STEP. DEED: kill; tear (cut the newest restart file, then kill); freeze SECONDS.
shell=$1 marker=$2 step=$3 deed=$4
[ -e "$marker" ] && exit 0
until [ -e log.lammps ] && tail -n 1 log.lammps |
  awk -v step="$step" '{ gsub(/[-\[,]/, " "); exit !($1 ~ /^[0-9]+$/ && $1 + 0 >= step) }'; do
  sleep 0.01
  kill -0 "$shell" 2>/dev/null || exit 0
done
program=$(pgrep -P "$shell" -f seireact-lmp | head -1)
[ -n "$program" ] || exit 0
[ -e "$marker" ] && exit 0
touch "$marker"
case $deed in
  freeze) kill -STOP "$program"; sleep "$5"; kill -CONT "$program"; exit 0 ;;
  tear) kill -STOP "$program"; newest=$(ls -t restart.[12] | head -1); truncate -s -100 "$newest" ;;
esac
kill -9 "$program"
