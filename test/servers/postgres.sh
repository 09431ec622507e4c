#!/bin/sh
# A temporary PostgreSQL for the tests. It needs the server of Debian's package postgresql.
#
#   postgres.sh start <directory> [port]   creates the directory, starts a server in it and prints its URL
#   postgres.sh stop <directory>           stops the server and removes the directory
#
# The server needs no password, so it listens on 127.0.0.1 only. It refuses to run as root, so root starts it as the user
# postgres. That user needs access to the directory, for example in /tmp.
set -eu

usage() {
  echo "usage: $0 start <directory> [port] | stop <directory>" >&2
  exit 2
}

[ $# -ge 2 ] || usage
command=$1
mkdir -p "$(dirname "$2")"
directory=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
port=${3:-55432}

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] || { echo 'PostgreSQL was not found. Run: apt-get install postgresql' >&2; exit 1; }

as_postgres() {
  if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$1"; else sh -c "$1"; fi
}

case $command in
  start)
    [ ! -e "$directory" ] || { echo "$directory exists. Stop the server in it first" >&2; exit 1; }
    mkdir -m 700 "$directory"
    [ "$(id -u)" != 0 ] || chown postgres "$directory"
    # The tests do not need durability, so the syncs are off to save time.
    as_postgres "cd '$directory' && '$bin/initdb' --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync" >&2
    as_postgres "cd '$directory' && '$bin/pg_ctl' start --pgdata=data --wait --silent --log=log --options=\"\
      -c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories='' -c max_connections=200 -c fsync=off\"" \
      >&2 || { cat "$directory/log" >&2; rm -rf "$directory"; exit 1; }
    echo "postgres://postgres@127.0.0.1:$port/postgres"
    ;;
  stop)
    as_postgres "cd '$directory' && '$bin/pg_ctl' stop --pgdata=data --wait --mode=fast" >&2
    rm -rf "$directory"
    ;;
  *)
    usage
    ;;
esac
