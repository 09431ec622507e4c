#!/bin/sh
# A throw-away PostgreSQL for the tests, from the server that Debian's package postgresql installs.
#
#   postgres.sh start <directory> [port]   makes the directory, starts a server in it and prints its URL
#   postgres.sh stop <directory>           stops it and removes the directory
#
# It trusts everybody, so it listens on 127.0.0.1 alone. Run by root it becomes the user postgres, for the server refuses
# to be root: so the directory has to be at a place where that user may go, such as /tmp.
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
[ -n "$bin" ] || { echo 'no PostgreSQL server: apt-get install postgresql' >&2; exit 1; }

as_postgres() {
  if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$1"; else sh -c "$1"; fi
}

case $command in
  start)
    [ ! -e "$directory" ] || { echo "$directory exists: stop the server in it first" >&2; exit 1; }
    mkdir -m 700 "$directory"
    [ "$(id -u)" != 0 ] || chown postgres "$directory"
    # The checks of a durable server cost time and protect nothing here.
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
