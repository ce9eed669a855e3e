# Sourced by the services: programs found or installed, free ports, pid files, an end with the test.
#
# Each service is one file: `SERVICE.sh start FOLDER`, `SERVICE.sh stop FOLDER`. Both may be called twice. What a service
# writes lies in FOLDER, an absolute path that every user may enter; `FOLDER/SERVICE.env` tells where it listens. Status
# 77: it can't be had here, and the last line says why. With SERVICE_OWNER=PID it stops when that process is gone.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C

SERVICE=$(basename "$0" .sh)
ACTION=${1:-} FOLDER=${2:-}
case "$ACTION:$FOLDER" in
start:/* | stop:/*) ;;
*) echo "Usage: $SERVICE.sh start|stop FOLDER (an absolute path)" >&2; exit 64 ;;
esac
HERE=$FOLDER/$SERVICE

cannot() { # why it can't be had here
    echo "$1" >&2
    exit 77
}

need() { # PROGRAM PACKAGE...: have the program on PATH, from Debian where one may install
    local program=$1 policy=/usr/sbin/policy-rc.d log
    shift
    command -v "$program" >/dev/null && return
    local how="apt-get install $*"
    command -v apt-get >/dev/null || cannot "$program is not on PATH, and this machine has no apt-get for '$how'."
    [ "$(id -u)" = 0 ] || cannot "$program is not on PATH, and only root may install it: '$how'."
    exec 9>/tmp/seireact-apt.lock
    flock 9
    if ! command -v "$program" >/dev/null; then
        # Without a policy, packages start their daemons as they are installed.
        if [ ! -e $policy ]; then
            trap "rm -f $policy" EXIT
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod +x $policy
        fi
        export DEBIAN_FRONTEND=noninteractive
        log=$({ apt-get update -q && apt-get -o DPkg::Lock::Timeout=600 install -q -y --no-install-recommends "$@"; } 2>&1) ||
            cannot "$program is not on PATH, and '$how' failed: $(tail -n 1 <<<"$log")"
    fi
    exec 9>&-
}

free_port() { # below the ports that the kernel gives to clients
    local port
    while true; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

runs() { # PID: a process that ended is a zombie until init takes notice, seconds later in some containers
    local state
    state=$(cat "/proc/$1/stat" 2>/dev/null) && [[ ${state##*)} != " Z"* ]]
}

is_alive() { # PIDFILE
    [ -s "$1" ] && runs "$(cat "$1")"
}

await() { # SECONDS COMMAND...: until the command succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "$SERVICE: '$*' still fails; its logs are in $HERE" >&2; return 1; }
        sleep 0.2
    done
}

end_process() { # PIDFILE [SIGNAL]: end a process that we started, and wait
    local pid
    if is_alive "$1"; then
        pid=$(cat "$1")
        kill "-${2:-TERM}" "$pid" || true
        for _ in $(seq 100); do runs "$pid" || break; sleep 0.1; done
        ! runs "$pid" || kill -9 "$pid"
    fi
    rm -f "$1"
}

end_with_owner() { # stop the service when the process of SERVICE_OWNER is gone, however it went
    [ -n "${SERVICE_OWNER:-}" ] || return 0
    is_alive "$HERE/guard.pid" && return 0
    setsid bash -c 'while kill -0 "$1" 2>/dev/null; do sleep 2; done; rm -f "$4"; exec "$2" stop "$3"' \
        guard "$SERVICE_OWNER" "$(realpath "$0")" "$FOLDER" "$HERE/guard.pid" </dev/null >/dev/null 2>&1 &
    echo $! >"$HERE/guard.pid"
}
