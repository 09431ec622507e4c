#!/bin/sh
# A temporary server for the tests that implements MongoDB's wire protocol, on 127.0.0.1 only: SecantusDB, from the Python
# package index. It is a test tool under the GPL and not part of this package. A real MongoDB works too: set its URL.
#   mongodb.sh install DIRECTORY        installs it into a virtual environment in DIRECTORY; needs Debian's python3-venv
#   mongodb.sh start DIRECTORY [PORT]   starts a server in DIRECTORY (created if missing) and prints the value for
#                                       TEST_MONGODB_URL; uses the one installed in DIRECTORY, or else the one in PATH
#   mongodb.sh stop DIRECTORY           stops the server and keeps DIRECTORY
set -eu

usage () { sed -n '4,7s/^# *//p' "$0" >&2; exit 2; }

install () {
  python3 -m venv "$dir/venv" >&2
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check 'SecantusDB>=0.7.0b3,<0.8' >&2
}

start () {
  port=${1:-57017}
  PATH=$dir/venv/bin:$PATH
  command -v secantusd-py >/dev/null || { echo "SecantusDB was not found. Run: $0 install $dir" >&2; exit 1; }
  if [ -f "$dir/pid" ]; then echo "a server is already running in $dir, or $dir/pid is stale" >&2; exit 1; fi
  # Start it in its own directory, so that it finds no other configuration file.
  cd "$dir"
  secantusd-py --host 127.0.0.1 --port "$port" --storage-path "$dir/data" >"$dir/server.log" 2>&1 </dev/null &
  server=$!
  echo "$server" >"$dir/pid"
  attempts=0
  until grep -q 'listening on' "$dir/server.log"; do
    attempts=$((attempts + 1))
    if [ "$attempts" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
      kill "$server" 2>/dev/null || :
      rm "$dir/pid"
      cat "$dir/server.log" >&2
      exit 1
    fi
    sleep 0.5
  done
  # At every write, this server searches all its records of writes that can be retried. With 10,000 records it is seven times
  # slower. A real MongoDB is tested with the default of the driver.
  echo "mongodb://127.0.0.1:$port/?retryWrites=false"
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
  install) install ;;
  start) start "${3:-}" ;;
  stop) stop ;;
  *) usage ;;
esac
