#!/usr/bin/env bash
# SLURM of one node, as root: munged, slurmctld, slurmd. Over SSH its commands look for /etc/slurm/slurm.conf and nowhere
# else, so that is a link to ours while it runs; a second copy waits for the first one to stop.
. "$(dirname "$0")/lib.sh"
CONF=/etc/slurm/slurm.conf
LOCK=/var/lock/seireact-slurm.lock

configure() {
    local host memory
    host=$(hostname -s)
    memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)
    cat >"$HERE/slurm.conf" <<END
ClusterName=seireact
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$HERE/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$HERE/state
SlurmdSpoolDir=$HERE/spool
SlurmctldPidFile=$HERE/slurmctld.pid
SlurmdPidFile=$HERE/slurmd.pid
SlurmctldLogFile=$HERE/slurmctld.log
SlurmdLogFile=$HERE/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
KillWait=5
# squeue forgets what ended longer ago than this, and on a busy machine tests ask late.
MinJobAge=86400
ReturnToService=2
# Four, whatever the machine has: a job that waits for its time limit must not hold the others up.
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=$memory Gres=gpu:h100:2
PartitionName=debug Nodes=$host Default=YES MaxTime=60 State=UP
END
    # Made-up GPUs: SLURM counts them and gives their numbers out, by CUDA_VISIBLE_DEVICES; any device will do.
    printf 'Name=gpu Type=h100 File=%s\n' /dev/null /dev/zero >"$HERE/gres.conf"
}

take_lock() { # held by a process of its own for as long as the service runs
    local why="SLURM of another copy still runs ($LOCK): its commands read one fixed $CONF."
    setsid flock -F -w "${SLURM_WAIT_S:-900}" "$LOCK" bash -c 'echo $$ >"$0"; exec sleep infinity' "$HERE/lock.pid" \
        </dev/null >/dev/null 2>&1 &
    for _ in $(seq "$((${SLURM_WAIT_S:-900} * 5))"); do
        is_alive "$HERE/lock.pid" && return
        runs $! || cannot "$why"
        sleep 0.2
    done
    cannot "$why"
}

start() {
    [ "$(id -u)" = 0 ] || cannot "SLURM reads $CONF and nothing else over SSH, and only root may write it."
    if [ -e $CONF ] && [ ! -L $CONF ]; then
        cannot "This machine has a SLURM of its own ($CONF), which the tests leave alone."
    fi
    need slurmctld slurm-wlm munge
    mkdir -p "$HERE/state" "$HERE/spool"
    is_alive "$HERE/lock.pid" || take_lock
    if [ ! -e "$HERE/munge.key" ]; then
        (umask 077 && head -c 1024 /dev/urandom >"$HERE/munge.key")
        configure
    fi
    mkdir -p /etc/slurm
    ln -sfn "$HERE/slurm.conf" $CONF
    # --force: munged would rather have folders of its own user, in /run.
    is_alive "$HERE/munged.pid" || munged --force --key-file="$HERE/munge.key" --socket="$HERE/munge.socket" \
        --pid-file="$HERE/munged.pid" --log-file="$HERE/munged.log" --seed-file="$HERE/munge.seed" 2>"$HERE/munged.err"
    is_alive "$HERE/slurmctld.pid" || slurmctld -c -f "$HERE/slurm.conf"
    is_alive "$HERE/slurmd.pid" || slurmd -f "$HERE/slurm.conf"
    await 60 is_idle
    echo "SLURM_CONF=$HERE/slurm.conf" >"$FOLDER/slurm.env"
    end_with_owner
}

is_idle() {
    sinfo --noheader --format=%T | grep -Eq '^(idle|mixed|allocated)$'
}

stop() {
    local owner
    if is_alive "$HERE/slurmctld.pid" && [ "$(readlink $CONF)" = "$HERE/slurm.conf" ]; then
        scancel --user=root --full --signal=KILL 2>/dev/null || true
    fi
    end_process "$HERE/slurmd.pid"
    end_process "$HERE/slurmctld.pid"
    end_process "$HERE/munged.pid"
    owner=$(readlink $CONF || true)
    [ "$owner" != "$HERE/slurm.conf" ] || rm -f $CONF
    end_process "$HERE/lock.pid"
    end_process "$HERE/guard.pid"
}

"$ACTION"
