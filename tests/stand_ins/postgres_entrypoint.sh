#!/bin/sh
# What the public image's entrypoint does for an unprivileged user: makes the cluster and its first database once,
# with what /docker-entrypoint-initdb.d holds, then becomes the server.
set -eu
case $1 in -*) set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"

export POSTGRES_USER="${POSTGRES_USER:-postgres}"
export POSTGRES_DB="${POSTGRES_DB:-$POSTGRES_USER}"
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  if [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE: there is no default" >&2
    exit 1
  fi
  password_file=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file"
  initdb --username="$POSTGRES_USER" --pwfile="$password_file" --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  rm "$password_file"
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"

  # Without a network: nobody may come in before everything is made.
  pg_ctl --options="-c listen_addresses=''" --wait start >/dev/null
  export PGUSER="$POSTGRES_USER"
  if [ "$POSTGRES_DB" != postgres ]; then createdb "$POSTGRES_DB"; fi
  export PGDATABASE="$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) sh "$script" ;;
      *.sql) psql --quiet --set=ON_ERROR_STOP=1 --file="$script" ;;
    esac
  done
  pg_ctl --mode=fast --wait stop >/dev/null
fi

shift
exec postgres -c listen_addresses='*' "$@"
