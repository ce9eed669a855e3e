#!/usr/bin/env bash
# An OpenSSH server for this user, as host `cluster`: with HOME=FOLDER/home, and FOLDER/bin first on PATH, it is known.
. "$(dirname "$0")/lib.sh"

start() {
    local port program
    need sshd openssh-server
    need ssh openssh-client
    mkdir -p "$HERE" "$FOLDER/home/.ssh" "$FOLDER/bin"
    chmod 700 "$FOLDER/home/.ssh"
    # Debian's sshd insists on this folder; a service file would make it.
    [ "$(id -u)" != 0 ] || mkdir -p -m 755 /run/sshd
    [ -e "$HERE/host_key" ] || ssh-keygen -q -t ed25519 -N "" -f "$HERE/host_key"
    [ -e "$FOLDER/home/.ssh/id_ed25519" ] || ssh-keygen -q -t ed25519 -N "" -f "$FOLDER/home/.ssh/id_ed25519"
    if ! is_alive "$HERE/server.pid"; then
        port=$(free_port)
        printf '%s\n' "Port $port" "ListenAddress 127.0.0.1" "HostKey $HERE/host_key" "PidFile $HERE/server.pid" \
            "AuthorizedKeysFile $FOLDER/home/.ssh/id_ed25519.pub" "PasswordAuthentication no" "UsePAM no" \
            "PermitRootLogin prohibit-password" "StrictModes no" "MaxStartups 100" "MaxSessions 100" "PrintMotd no" \
            "Subsystem sftp internal-sftp" >"$HERE/sshd_config"
        "$(command -v sshd)" -f "$HERE/sshd_config" -E "$HERE/server.log"
        printf '%s\n' "Host cluster" "    HostName 127.0.0.1" "    Port $port" "    User $(id -un)" \
            "    IdentityFile $FOLDER/home/.ssh/id_ed25519" "    UserKnownHostsFile $FOLDER/home/.ssh/known_hosts" \
            >"$FOLDER/home/.ssh/config"
        echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$HERE/host_key.pub")" >"$FOLDER/home/.ssh/known_hosts"
        # ssh itself takes the home of the password file, not that of HOME.
        for program in ssh scp sftp; do
            printf '#!/bin/sh\nexec %s -F %s "$@"\n' "/usr/bin/$program" "$FOLDER/home/.ssh/config" >"$FOLDER/bin/$program"
            chmod +x "$FOLDER/bin/$program"
        done
        echo "SSH_PORT=$port" >"$FOLDER/ssh.env"
    fi
    await 20 "$FOLDER/bin/ssh" -o BatchMode=yes cluster true
    end_with_owner
}

stop() {
    end_process "$HERE/server.pid"
    end_process "$HERE/guard.pid"
}

"$ACTION"
