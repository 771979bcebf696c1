# shellcheck shell=bash disable=SC2154,SC2153 # names set in common.sh
# One machine: boot, power cut, state, what a dead one leaves behind. Sourced by ../lab and by node-run.

# --- where a machine's processes live -----------------------------------------------------------------------------
# With systemd as PID 1, a machine runs in a scope of its own that is delegated to it (cgroup v2 needs that; this path
# could not be tried where the lab was written: no such host there). Without it, the lab makes the cgroups by hand, in
# every v1 hierarchy; also in `systemd` and `unified`, or all machines' services of one name would share a cgroup.

cgroup_is_v1() {
    [[ ! -e /sys/fs/cgroup/cgroup.controllers ]]
}

host_has_systemd() {
    [[ -d /run/systemd/system ]]
}

node_scope() {
    printf 'caisson-lab-%s-%s.scope\n' "$LAB_ID" "$1"
}

# Moves the calling process into the machine's own v1 cgroups.
cgroup_enter() {
    local hierarchy path file
    for hierarchy in /sys/fs/cgroup/*/; do
        [[ ! -L ${hierarchy%/} ]] || continue
        for path in "$hierarchy/caisson-lab" "$hierarchy/caisson-lab/$LAB_ID" "$hierarchy/caisson-lab/$LAB_ID/$1"; do
            mkdir -p "$path"
            for file in cpuset.cpus cpuset.mems; do
                # A new cpuset is empty and takes no process until it has these.
                [[ ! -e $path/$file || -n $(<"$path/$file") ]] || cat "$path/../$file" >"$path/$file"
            done
        done
        printf '%d\n' "$BASHPID" >"$path/cgroup.procs" || return 1
    done
}

# Processes in the machine's cgroups, by the hierarchy that nothing inside a machine leaves.
cgroup_processes() {
    find "/sys/fs/cgroup/systemd/caisson-lab/$LAB_ID/$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

cgroup_is_empty() {
    [[ -z $(cgroup_processes "$1") ]]
}

# Removes the cgroups of one machine, or with an empty name those of the lab.
cgroup_remove() {
    local path
    for path in /sys/fs/cgroup/*/"caisson-lab/$LAB_ID/$1"; do
        find "$path" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    [[ -n $1 ]] || rmdir /sys/fs/cgroup/*/caisson-lab 2>/dev/null || true
}

# --- processes ----------------------------------------------------------------------------------------------------
# A pid file holds "PID STARTTIME": a process id that was given to somebody else is not ours to kill.

process_start() {
    local stat
    local -a fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) }
    read -ra fields <<<"$stat"
    printf '%s\n' "${fields[19]}"
}

pid_save() {
    local start
    start=$(process_start "$2") || return 1
    printf '%d %s\n' "$2" "$start" >"$1.new"
    mv -f -- "$1.new" "$1"
}

# Prints the process id of a pid file if that very process is still there (and no zombie).
pid_alive() {
    local pid start
    { read -r pid start <"$1"; } 2>/dev/null || return 1
    [[ $(process_start "$pid") == "$start" ]] || return 1
    ! grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status" || return 1
    printf '%d\n' "$pid"
}

pids_gone() {
    local pid
    for pid in "$@"; do
        if [[ -e /proc/$pid ]] && ! grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"; then
            return 1
        fi
    done
}

# --- boot ---------------------------------------------------------------------------------------------------------

# node_up NODE: boots it unless it runs, and waits until sshd lets the operator in.
node_up() {
    local node=$1 run=$LAB_STATE/nodes/$1/run
    [[ -e $LAB_STATE/nodes/$node/made ]] || die "$node was not made completely: lab up"
    (
        flock -w 60 9 || die "$node is busy"
        if ! pid_alive "$run/runner" >/dev/null; then
            node_clear "$node"
            [[ $LAB_DISKS == 0 ]] || disk_mount "$node"
            node_spawn "$node"
        fi
    ) 9>"$LAB_STATE/nodes/$node/lock"
    wait_until 30 pid_alive "$run/leader" >/dev/null || node_failed "$node" "has no PID 1"
    wait_until 60 node_answers "$node" || node_failed "$node" "does not answer on port 22"
    wait_until 30 node_login "$node" || node_failed "$node" "does not let the operator in"
    say "$node is up"
}

node_spawn() {
    local fd
    (
        # Neither our locks nor the caller's pipes may stay open as long as the machine runs. 255 is bash's own.
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            ((fd <= 2 || fd == 255)) || exec {fd}>&-
        done
        cd /
        exec setsid --fork "$LAB_LIB/node-run" "$LAB_DIR" "$LAB_STATE" "$1" </dev/null >>"$LAB_STATE/nodes/$1/run/console" 2>&1
    )
    wait_until 10 pid_alive "$LAB_STATE/nodes/$1/run/runner" >/dev/null || node_failed "$1" "was not started"
}

node_failed() {
    tail -n 15 -- "$LAB_STATE/nodes/$1/run/console" >&2 || true
    die "$1 $2 (its console: $LAB_STATE/nodes/$1/run/console)"
}

# shellcheck disable=SC2016 # for the inner bash
node_answers() {
    timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/22" && read -r -t 2 line <&3 && [[ $line == SSH-* ]]' _ \
        "$(node_address "$1")" 2>/dev/null
}

# Sets SSH_WORDS: ssh with the lab's key and pinned host keys, and nothing of the caller's own configuration.
node_ssh_words() {
    SSH_WORDS=(ssh -F none -i "$LAB_DIR/id_ed25519" -o IdentitiesOnly=yes -o IdentityAgent=none
        -o "UserKnownHostsFile=\"$LAB_DIR/known_hosts\"" -o GlobalKnownHostsFile=/dev/null
        -o StrictHostKeyChecking=yes -o ConnectTimeout=10 "$1@$(node_address "$2")")
}

# `ops` may log in only when the boot is through, root before.
node_login() {
    local -a SSH_WORDS
    node_ssh_words ops "$1"
    timeout 10 "${SSH_WORDS[@]}" true </dev/null 2>>"$LAB_STATE/nodes/$1/run/console"
}

# --- power cut ----------------------------------------------------------------------------------------------------

# Kills at once, runner first so that nobody boots the machine again; then clears up what the kernel leaves behind.
node_cut() {
    local node=$1 run=$LAB_STATE/nodes/$1/run
    (
        flock -w 60 9 || die "$node is busy"
        # First the network: who loses power says no farewell to its peers, and acknowledges nothing the picture does not have.
        in_net ip link set "vb-$node" down 2>/dev/null || true
        if [[ $LAB_DISKS == 1 ]]; then
            disk_drop_picture "$node"
            ! pid_alive "$run/runner" >/dev/null || disk_picture "$node"
        fi
        node_kill "$node"
        node_clear "$node"
        [[ $LAB_DISKS == 0 ]] || disk_lose_cache "$node"
    ) 9>"$LAB_STATE/nodes/$node/lock"
    say "$node is off"
}

node_kill() {
    local run=$LAB_STATE/nodes/$1/run file pid
    local -a pids=()
    for file in runner leader nspawn; do
        pid=$(pid_alive "$run/$file") && pids+=("$pid")
    done
    ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
    wait_until 15 pids_gone "${pids[@]}" || die "$1: processes ${pids[*]} do not die"
    node_kill_rest "$1"
    rm -f -- "$run/runner" "$run/leader" "$run/nspawn"
}

# What no pid file tells of: a runner or nspawn killed in the moment it started something.
node_kill_rest() {
    local pid
    if host_has_systemd; then
        systemctl kill --signal=KILL --kill-who=all "$(node_scope "$1")" 2>/dev/null || true
        return
    fi
    for pid in $(cgroup_processes "$1"); do
        # 0: a process of a namespace that cannot be seen from here; it dies with its PID 1.
        ((pid == 0)) || kill -KILL "$pid" 2>/dev/null || true
    done
    wait_until 15 cgroup_is_empty "$1" || die "$1: processes $(cgroup_processes "$1" | xargs) do not die"
}

# Link, cgroups, and nspawn's own folder and lock outlive a killed machine; some would make the next boot fail.
node_clear() {
    local root=$LAB_STATE/nodes/$1/root
    [[ ! -d $root ]] || rm -f -- "/run/systemd/nspawn/locks/inode-$(stat -c %d:%i "$root")"
    [[ ! -e /run/netns/$LAB_NETNS ]] || in_net ip link del "vb-$1" 2>/dev/null || true
    cgroup_remove "$1"
    rmdir "/run/systemd/nspawn/propagate/$LAB_ID-$1" 2>/dev/null || true
}

# Removes traces of machines that a crashed `up` began to make. Their processes cannot exist: nothing was booted.
nodes_sweep_partial() {
    local folder
    for folder in "$LAB_STATE"/nodes/*/; do
        [[ -d $folder && ! -e $folder/made ]] || continue
        folder=${folder%/}
        [[ $LAB_DISKS == 0 ]] || disk_unmount "${folder##*/}"
        rm -rf --one-file-system -- "$folder"
    done
}

# Every machine that has a folder, whether or not lab.conf knows it.
nodes_kill_all() {
    local folder node
    local -a nodes=()
    for folder in "$LAB_STATE"/nodes/*/; do
        [[ -d $folder ]] || continue
        node=$(basename "$folder")
        nodes+=("$node")
    done
    runners_kill
    ((${#nodes[@]} == 0)) || in_parallel node_remove "${nodes[@]}"
    cgroup_remove ''
}

node_remove() {
    node_kill "$1"
    node_clear "$1"
    disk_unmount "$1"
    rm -rf --one-file-system -- "$LAB_STATE/nodes/$1/root"
}

# A runner that did not yet write its pid file is found by its exact command line.
runners_kill() {
    local file
    local -a words
    for file in /proc/[0-9]*/cmdline; do
        { mapfile -d '' -t words <"$file"; } 2>/dev/null || continue
        if [[ ${words[1]-} == "$LAB_LIB/node-run" && ${words[3]-} == "$LAB_STATE" ]]; then
            file=${file%/cmdline}
            kill -KILL "${file#/proc/}" 2>/dev/null || true
        fi
    done
}

# --- state --------------------------------------------------------------------------------------------------------

node_state() {
    local run=$LAB_STATE/nodes/$1/run
    if [[ ! -e $LAB_STATE/nodes/$1/made ]]; then
        printf 'absent\n'
    elif ! pid_alive "$run/runner" >/dev/null; then
        printf 'off\n'
    elif pid_alive "$run/leader" >/dev/null && node_answers "$1"; then
        printf 'running\n'
    else
        printf 'booting\n'
    fi
}

nodes_status() {
    local node state leader separator=''
    [[ $1 == plain ]] || printf '['
    for node in "${LAB_NODES[@]}"; do
        state=$(node_state "$node")
        leader=$(pid_alive "$LAB_STATE/nodes/$node/run/leader") || leader=''
        if [[ $1 == plain ]]; then
            printf '%-8s %-15s %-8s %s\n' "$node" "$(node_address "$node")" "$state" "${leader:--}"
        else
            printf '%s{"name":"%s","address":"%s","state":"%s","leader":%s}' "$separator" "$node" \
                "$(node_address "$node")" "$state" "${leader:-null}"
            separator=,
        fi
    done
    [[ $1 == plain ]] || printf ']\n'
}
