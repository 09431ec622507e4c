#!/bin/sh
# A temporary Redis for the tests, on 127.0.0.1 only. It needs Debian's package redis-server, but not the running service.
#   redis.sh start DIRECTORY [PORT]   starts a server in DIRECTORY (created if missing) and prints the value for TEST_REDIS_URL
#   redis.sh stop DIRECTORY           stops the server and keeps DIRECTORY
set -eu

usage () { sed -n '3,4s/^# *//p' "$0" >&2; exit 2; }

start () {
  port=${1:-56379}
  if [ -f "$dir/pid" ]; then echo "a server is already running in $dir, or $dir/pid is stale" >&2; exit 1; fi
  # Nothing is saved, because all counts expire within minutes.
  redis-server --bind 127.0.0.1 --port "$port" --dir "$dir" --save '' --appendonly no >"$dir/server.log" 2>&1 </dev/null &
  server=$!
  echo "$server" >"$dir/pid"
  attempts=0
  until grep -q 'Ready to accept connections' "$dir/server.log"; do
    attempts=$((attempts + 1))
    if [ "$attempts" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
      kill "$server" 2>/dev/null || :
      rm "$dir/pid"
      cat "$dir/server.log" >&2
      exit 1
    fi
    sleep 0.5
  done
  echo "redis://127.0.0.1:$port"
}

stop () {
  [ -f "$dir/pid" ] || return 0
  server=$(cat "$dir/pid")
  kill "$server" 2>/dev/null || :
  while kill -0 "$server" 2>/dev/null; do sleep 0.2; done
  rm "$dir/pid"
}

[ $# -ge 2 ] || usage
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
case $command in
  start) start "${3:-}" ;;
  stop) stop ;;
  *) usage ;;
esac
