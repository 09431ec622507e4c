#!/bin/sh
# A temporary MariaDB for the tests, on 127.0.0.1 only. It needs Debian's package mariadb-server, but not the running service.
#   mariadb.sh start DIRECTORY [PORT]   starts a server in DIRECTORY (created if missing) and prints the value for TEST_MYSQL_URL
#   mariadb.sh stop DIRECTORY           stops the server and keeps DIRECTORY
set -eu
PATH=$PATH:/usr/sbin

usage () { sed -n '2,4s/^# *//p' "$0" >&2; exit 2; }

responds () { mariadb-admin --no-defaults --user=root --socket="$dir/socket" ping >/dev/null 2>&1; }

start () {
  port=${1:-53306}
  if responds; then
    echo "a server is already running in $dir" >&2
    exit 1
  fi
  # Debian's configuration contains the sockets and directories of the system service. --no-defaults must come first.
  if [ ! -d "$dir/data/mysql" ]; then
    mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$dir/data" \
      --auth-root-authentication-method=normal --skip-test-db >"$dir/install.log" 2>&1
  fi
  # The tests do not need durability. Without a sync at every commit, the suite takes a fraction of the time.
  mariadbd --no-defaults --user="$(id -un)" --datadir="$dir/data" --socket="$dir/socket" --pid-file="$dir/pid" \
    --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --max-connections=300 \
    --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=2 >"$dir/server.log" 2>&1 </dev/null &
  server=$!
  attempts=0
  until responds; do
    attempts=$((attempts + 1))
    if [ "$attempts" -gt 120 ] || ! kill -0 "$server" 2>/dev/null; then
      cat "$dir/server.log" >&2
      exit 1
    fi
    sleep 0.5
  done
  mariadb --no-defaults --user=root --socket="$dir/socket" -e "
    create database if not exists otp_auth_test;
    create or replace user otp_auth@127.0.0.1 identified by 'otp_auth';
    grant all on *.* to otp_auth@127.0.0.1;"
  echo "mysql://otp_auth:otp_auth@127.0.0.1:$port/otp_auth_test"
}

stop () {
  [ -f "$dir/pid" ] || return 0
  server=$(cat "$dir/pid")
  mariadb-admin --no-defaults --user=root --socket="$dir/socket" shutdown
  while kill -0 "$server" 2>/dev/null; do sleep 0.2; done
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
