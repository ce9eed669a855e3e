#!/usr/bin/env bash
# PostgreSQL with an empty database `aiida` of a user `aiida`; without fsync: nobody needs the data after a power cut.
. "$(dirname "$0")/lib.sh"

as_postgres() { # the server refuses root
    if [ "$(id -u)" = 0 ]; then (cd "$HERE" && runuser -u postgres -- "$@"); else "$@"; fi
}

find_server() { # Debian keeps it off PATH
    local bin
    for bin in /usr/lib/postgresql/*/bin; do PATH="$bin:$PATH"; done
}

start() {
    local port
    find_server
    need initdb postgresql
    find_server
    mkdir -p "$HERE"
    if [ ! -d "$HERE/data" ]; then
        [ "$(id -u)" != 0 ] || chown postgres: "$HERE"
        as_postgres initdb -D "$HERE/data" -U aiida --auth=trust --no-sync --encoding=UTF8 --locale=C >"$HERE/initdb.log"
    fi
    if ! is_alive "$HERE/guarded.pid"; then
        port=$(free_port)
        as_postgres pg_ctl start -w -s -D "$HERE/data" -l "$HERE/server.log" \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$HERE -c fsync=off -c max_connections=100"
        head -n 1 "$HERE/data/postmaster.pid" >"$HERE/guarded.pid"
        echo "POSTGRES_PORT=$port" >"$FOLDER/postgres.env"
    fi
    . "$FOLDER/postgres.env"
    psql -h 127.0.0.1 -p "$POSTGRES_PORT" -U aiida -lqt postgres | grep -qw "^ aiida" ||
        createdb -h 127.0.0.1 -p "$POSTGRES_PORT" -U aiida aiida
    end_with_owner
}

stop() {
    end_process "$HERE/guarded.pid" INT
    end_process "$HERE/guard.pid"
}

"$ACTION"
