#!/usr/bin/env bash
# RabbitMQ for user guest, with its own epmd. Started again after a kill it has the same port and the same queues.
. "$(dirname "$0")/lib.sh"

start() {
    need rabbitmq-server rabbitmq-server
    mkdir -p "$HERE"
    if [ ! -e "$FOLDER/rabbitmq.env" ]; then
        printf 'RABBITMQ_PORT=%s\nEPMD_PORT=%s\nDIST_PORT=%s\n' "$(free_port)" "$(free_port)" "$(free_port)" \
            >"$FOLDER/rabbitmq.env"
    fi
    . "$FOLDER/rabbitmq.env"
    # Its default, half an hour, would take back the task of every longer process.
    printf '%s\n' "listeners.tcp.local = 127.0.0.1:$RABBITMQ_PORT" "consumer_timeout = 3600000000" \
        "loopback_users.guest = true" "disk_free_limit.absolute = 50MB" >"$HERE/rabbitmq.conf"
    echo '[].' >"$HERE/plugins"
    : >"$HERE/env.conf"
    export HOME=$HERE ERL_EPMD_PORT=$EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_DIST_PORT=$DIST_PORT \
        RABBITMQ_NODENAME=seireact$RABBITMQ_PORT@localhost RABBITMQ_CONF_ENV_FILE=$HERE/env.conf \
        RABBITMQ_CONFIG_FILE=$HERE/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$HERE/plugins \
        RABBITMQ_MNESIA_BASE=$HERE/mnesia RABBITMQ_LOG_BASE=$HERE/log RABBITMQ_PID_FILE=$HERE/server.pid \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 +sbwt none +A 8 -kernel inet_dist_use_interface {127,0,0,1}"
    if ! is_alive "$HERE/epmd.pid"; then
        # erl would start one that nobody stops.
        setsid epmd -port "$EPMD_PORT" -address 127.0.0.1 </dev/null >"$HERE/epmd.log" 2>&1 &
        echo $! >"$HERE/epmd.pid"
        await 20 epmd -port "$EPMD_PORT" -names
    fi
    if ! is_alive "$HERE/server.pid"; then
        rm -f "$HERE/server.pid"
        # Not the wrapper in /usr/sbin, which changes the user and reads the machine's settings.
        setsid /usr/lib/rabbitmq/bin/rabbitmq-server </dev/null >"$HERE/server.log" 2>&1 &
        await 90 test -s "$HERE/server.pid"
    fi
    await 90 grep -q "completed with" "$HERE/server.log"
    end_with_owner
}

stop() {
    end_process "$HERE/server.pid"
    end_process "$HERE/epmd.pid"
    end_process "$HERE/guard.pid"
}

"$ACTION"
