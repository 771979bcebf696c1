#!/usr/bin/env bash
# A test of the lab itself: machines, network, power cuts, cleaning up. Prints TAP; exit 77 when it cannot run here.
set -euo pipefail

usage() {
    cat <<'END'
Usage: lab_selftest.sh
Brings up small labs with scripts/lab and checks what it promises. Needs root; less than a minute with a cached root.
END
}

case ${1-} in
-h | --help) usage; exit 0 ;;
'') ;;
*) usage >&2; exit 64 ;;
esac
if ((EUID != 0)); then
    printf '1..0 # SKIP needs root\n'
    exit 77
fi

lab_program=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts" && pwd)/lab
work=$(mktemp -d -t caisson-selftest.XXXXXX)
count=0 failed=0
unset CAISSON_LAB

lab() {
    local verb=$1
    shift
    timeout 300 "$lab_program" "$verb" --dir "$dir" "$@"
}

# check NAME COMMAND...: one TAP line; the command's output is shown only when it fails.
check() {
    local name=$1
    shift
    count=$((count + 1))
    if "$@" >"$work/output" 2>&1; then
        printf 'ok %d - %s\n' "$count" "$name"
    else
        failed=$((failed + 1))
        printf 'not ok %d - %s\n' "$count" "$name"
        sed 's/^/# /' "$work/output"
    fi
}

skip() {
    count=$((count + 1))
    printf 'ok %d - %s # SKIP %s\n' "$count" "$1" "$2"
}

is() {
    [[ $1 == "$2" ]] || { printf 'got: %s\nexpected: %s\n' "$1" "$2"; return 1; }
}

fails() {
    ! "$@"
}

in_node() {
    lab ssh "$@" </dev/null
}

boots() {
    in_node "$1" journalctl --list-boots --no-pager | wc -l
}

can_reach() {
    in_node "$1" "timeout 1 bash -c 'exec 3<>/dev/tcp/$2/$3'"
}

state_of() {
    lab status | awk -v node="$1" '$1 == node { print $3 }'
}

leaders() {
    lab status | awk '{ print $1, $4 }'
}

# Everything on this host that carries the name of the lab of $dir.
traces() {
    local id file
    id=$(printf %s "$dir" | sha256sum | cut -c1-6)
    find /run/netns -name "*$id*" 2>/dev/null || true
    ip -br link | grep -- "$id" || true
    ip route | grep -- "$id" || true
    grep -- "$id" /proc/self/mountinfo || true
    losetup -a | grep -- "$id" || true
    find /sys/fs/cgroup -type d -path "*caisson-lab*$id*" || true
    find /run/systemd/nspawn /var/lib/caisson-lab -name "*$id*" 2>/dev/null || true
    for file in /proc/[0-9]*/cmdline; do
        if tr '\0' ' ' 2>/dev/null <"$file" | grep -e "-$id/" -e "/caisson-$id"; then :; fi
    done
}

no_traces() {
    is "$(traces)" ''
}

has_traces() {
    fails no_traces >/dev/null
}

test_logins() {
    local hosts
    check 'root logs in with the pinned host key' is "$(in_node cp-1 hostname)" cp-1
    check 'ops becomes root without a password' is "$(lab ssh --user ops w-1 sudo -n id -u </dev/null)" 0
    hosts=$(<"$dir/known_hosts")
    awk '{ sub(/\.11$/, ".X", $1); sub(/\.21$/, ".11", $1); sub(/\.X$/, ".21", $1); print }' <<<"$hosts" >"$dir/known_hosts"
    check 'a wrong host key is refused' fails in_node cp-1 true
    printf '%s\n' "$hosts" >"$dir/known_hosts"
    check 'the key is private' is "$(stat -c %a "$dir/id_ed25519")" 600
    check 'machine-ids differ' fails is "$(in_node cp-1 cat /etc/machine-id)" "$(in_node w-1 cat /etc/machine-id)"
    check 'no unit failed' is "$(in_node cp-1 systemctl is-system-running --wait)" running
    # shellcheck disable=SC2016 # for the machine's shell
    check 'cgroups are writable' in_node cp-1 'd=$(find /sys/fs/cgroup -maxdepth 1 -name memory | grep . || echo /sys/fs/cgroup); mkdir $d/try && rmdir $d/try'
    check 'mounts of / are shared' is "$(in_node cp-1 findmnt -no PROPAGATION /)" shared
}

test_network() {
    local subnet
    subnet=$(in_node cp-1 "ip -4 -o addr show dev host0" | sed -E 's/.* ([0-9]+\.[0-9]+\.[0-9]+)\..*/\1/')
    check 'machines reach each other by name' can_reach cp-1 w-1 22
    check 'a quiet lab sends nothing outside' is "$(lab net egress)" 0
    check 'the world cannot be reached' fails can_reach w-1 192.0.2.200 80
    check 'the attempt is counted' fails is "$(lab net egress --all | awk '$1 == "outside" { print $2 }')" 0
    check 'the host cannot be reached' fails can_reach w-1 "$subnet.1" 22
    check 'that is counted as well' fails is "$(lab net egress --all | awk '$1 == "host" { print $2 }')" 0
    check 'nothing leaked behind the rules' is "$(lab net egress --all | awk '$1 == "leaked" { print $2 }')" 0
    check 'a lookup fails at once' fails in_node w-1 'timeout 1 getent hosts example.com'
    lab net part cp-1 w-1
    check 'parted machines do not reach each other' fails can_reach cp-1 w-1 22
    lab net drop w-1
    check 'a dropped machine is not reached' fails timeout 3 "$lab_program" ssh --dir "$dir" w-1 true
    lab net clear
    check 'clear undoes it' can_reach cp-1 w-1 22
}

test_power() {
    local before
    before=$(boots w-1)
    in_node w-1 reboot || true
    sleep 1
    check 'a rebooted machine comes back' lab start w-1
    check 'and was booted again' fails is "$(boots w-1)" "$before"
    check 'cut' lab cut w-1
    check 'a cut machine is off' is "$(state_of w-1)" off
    check 'cut of a machine that is off' lab cut w-1
    check 'start' lab start w-1
    check 'a started machine runs' is "$(state_of w-1)" running
    in_node w-1 poweroff || true
    sleep 2
    check 'a machine powers itself off' is "$(state_of w-1)" off
    check 'start after that' lab start w-1
}

test_again() {
    local before
    before=$(leaders)
    check 'up again' lab up
    check 'restarts nothing' is "$(leaders)" "$before"
    timeout --foreground -s KILL 0.6 "$lab_program" up --dir "$dir" --workers 2 >/dev/null 2>&1 || true
    check 'up after a killed up' lab up --workers 2
    check 'has the new machine' is "$(in_node w-2 hostname)" w-2
    check 'and the old ones still run' is "$(leaders | grep -v w-2)" "$before"
}

test_disks() {
    if ! command -v mkfs.xfs >/dev/null || ! losetup -f >/dev/null 2>&1; then
        skip 'a cut loses what was not synced' 'no mkfs.xfs or no loop device'
        return
    fi
    check 'up with disks' lab up --control-planes 1 --workers 0 --disk-images
    in_node cp-1 'cd /root && echo kept >a && sync a . && echo lost >b.new && mv b.new b'
    check 'cut' lab cut cp-1
    check 'start' lab start cp-1
    check 'what was synced is there' is "$(in_node cp-1 cat /root/a)" kept
    check 'what was not synced is lost' fails is "$(in_node cp-1 'cat /root/b 2>/dev/null || true')" lost
}

finish() {
    local status=$? dir
    for dir in "$work/plain" "$work/disks"; do
        timeout 120 "$lab_program" down --dir "$dir" >/dev/null 2>&1 || status=1
    done
    rm -rf -- "$work"
    exit "$status"
}

trap finish EXIT
trap 'exit 130' INT TERM

dir=$work/plain
check 'up 1+1' lab up --control-planes 1 --workers 1
check 'status as JSON' is "$(lab status -o json | grep -o '"state":"running"' | wc -l)" 2
test_logins
test_network
test_power
test_again
check 'traces are found while it is up' has_traces
lab cut cp-1 2>/dev/null
check 'down' lab down
check 'nothing is left' no_traces
check 'down again' lab down
dir=$work/disks
test_disks
check 'down' lab down
check 'nothing is left' no_traces

printf '1..%d\n' "$count"
((failed == 0))
