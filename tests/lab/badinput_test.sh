#!/usr/bin/env bash
# Machines as operators have them: unreachable, wrongly set up, too small. What preflight says of each, and how it ends.
# Two machines of its own and no cluster. CAISSON_CLUSTER is the folder of a cluster, for its programs and its bundle.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
unset CAISSON_FACTS_OVERRIDE SSH_AUTH_SOCK
export NO_COLOR=1

# tried WHAT COMMAND...: a check that shows what caisson said when it fails.
tried() { check "$1" shown "${@:2}"; }
shown() {
    "$@" && return
    sed 's/^/     /' out err
    return 1
}
run() {
    timeout 300 bin/caisson "$@" >out 2>err </dev/null
    status=$?
}
said() { grep -F -- "$1" out err >/dev/null || { echo "not said: $1"; return 1; }; }
ended() { [ "$status" = "$1" ] || { echo "exit status $status, not $1"; return 1; }; }

# finds STATUS HOST ID VALUE FIX: preflight fails with STATUS; among HOST's failed checks is ID with VALUE and the way out FIX.
finds() {
    run preflight
    ended "$1" || return 1
    grep -A 1 -F "fail  $2: $3: " out >found || { echo "no failed check $3 of $2"; return 1; }
    grep -F -- "$4" found >/dev/null || { echo "not the value: $4"; return 1; }
    grep -F -- "      fix: " found | grep -F -- "$5" >/dev/null || { echo "not the way out: $5"; return 1; }
}
# The other machine is reported all the same, and nothing is wrong with it.
other_is_fine() {
    run preflight -o json
    jq -e --arg host "$1" '.hosts[] | select(.host == $host) | (.checks | length > 20) and all(.checks[]; .result != "fail")' out >/dev/null
}
# finds with facts that are made up, and that says so.
finds_simulated() {
    echo "$1" >facts.json
    CAISSON_FACTS_OVERRIDE=facts.json finds "${@:2}" && said "(simulated facts)" && said "facts of 1 host are simulated"
}
clean() {
    run preflight
    ended 0 && said ", 0 failed"
}
# with_spec SED-SCRIPT COMMAND...: with cluster.yaml edited.
with_spec() {
    local result
    cp cluster.yaml good.yaml
    sed -i -E "$1" cluster.yaml
    cmp -s cluster.yaml good.yaml && { echo "the edit $1 changed nothing"; return 1; }
    "${@:2}"
    result=$?
    mv good.yaml cluster.yaml
    return $result
}
# while_on DO UNDO COMMAND...: with w-1 changed.
while_on() {
    local result
    on w-1 "$1" || { echo "w-1: $1"; return 1; }
    "${@:3}"
    result=$?
    on w-1 "$2" || { echo "w-1: $2"; return 1; }
    return $result
}
logins() { on w-1 'journalctl --no-pager -o cat -t sshd | grep -c "Accepted publickey"'; }
w1_user='/name: w-1/,/ssh:/s/user: root/user: '

own_lab --control-planes 1 --workers 1
w1=$(address w-1)

tried "two good machines pass" clean

# ---- reaching them ----

unreachable() {
    local since=$SECONDS
    lab net drop w-1 || return 1
    finds 3 w-1 reachable "timed out" "is the machine on" && other_is_fine cp-1 && run plan && ended 3 && run status && ended 3
    local result=$?
    lab net clear
    [ "$result" = 0 ] && [ $((SECONDS - since)) -lt 240 ]
}
tried "an unreachable host: in bounded time, the other is reported" unreachable
tried "a machine without sshd" with_spec '/name: w-1/,/ssh:/s/user: root/port: 2222, user: root/' finds 3 w-1 reachable "Connection refused" "does sshd run"
tried "a wrong user" with_spec "${w1_user}nobody-here/" finds 3 w-1 reachable "login as nobody-here refused" "authorized_keys"
# shellcheck disable=SC2016 # the machine's shell expands it
on w-1 'useradd -m -s /bin/bash plain && install -d -o plain -m 700 ~plain/.ssh && install -o plain -m 600 ~root/.ssh/authorized_keys ~plain/.ssh/' || exit 1
tried "a user who may not become root" with_spec "${w1_user}plain/" finds 6 w-1 privilege "no root rights for user plain" "sudo -n"
tried "a user with sudo" with_spec "${w1_user}ops/" clean

unknown_key() {
    local key
    cp known_hosts known.good
    sed -i "/^$w1 /d" known_hosts
    finds 4 w-1 host-key "is not known yet" "caisson trust host w-1" && other_is_fine cp-1 || return 1
    key=$(sed -nE 's/.*w-1: host-key: .*host key (SHA256:[^ ]*).*/\1/p' out)
    run preflight
    key=$(sed -nE 's/.*w-1: host-key: .*host key (SHA256:[^ ]*).*/\1/p' out)
    run trust host --accept "$key"
    ended 0 && said "pinned  w-1" && clean
}
tried "an unknown host key, until it is trusted" unknown_key
cp known.good known_hosts
changed_key() {
    local before
    before=$(logins)
    sed -i -E "s#^($w1 [^ ]+) .*#\1 $(ssh-keygen -q -t ed25519 -N '' -f other && cut -d ' ' -f 2 other.pub)#" known_hosts
    finds 4 w-1 host-key "which is not the one" "remove the old key" && run apply && ended 4 && said "somebody may be in between" || return 1
    run trust host
    said "kept    w-1" && run plan && ended 4 || return 1
    cp known.good known_hosts
    # counting is a login too
    [ "$(logins)" = "$((before + 1))" ] || { echo "somebody logged in"; return 1; }
}
tried "a changed host key stops everything" changed_key
cp known.good known_hosts

# ---- what they are ----

tried "a missing tool" while_on 'mv /usr/sbin/nft /root/' 'mv /root/nft /usr/sbin/' finds 6 w-1 tool-nft missing "Debian package nftables"
tried "another hostname" while_on 'hostname elsewhere' 'hostname w-1' finds 6 w-1 hostname elsewhere "hostnamectl"
twin=$(on cp-1 cat /etc/machine-id)
tried "two hosts with one machine-id" while_on "cp -p /etc/machine-id /root/ && echo $twin >/etc/machine-id" 'cp -p /root/machine-id /etc/' \
    finds 6 w-1 machine-id "which cp-1 has too" "systemd-machine-id-setup"
tried "leftovers in an owned path" while_on 'mkdir -p /var/lib/etcd/member' 'rm -r /var/lib/etcd' \
    finds 6 w-1 leftover-/var/lib/etcd "something is there" "caisson reset"
tried "an owned path that is an empty disk" while_on 'mkdir -p /var/lib/etcd/lost+found' 'rm -r /var/lib/etcd' clean
# shellcheck disable=SC2016 # the machine's shell expands it
tried "a port in use" while_on 'systemd-run -q --unit=squatter systemd-socket-activate -l 10250 /bin/cat; for _ in $(seq 100); do ss -ltn 2>/dev/null | grep -q :10250 && break; sleep 0.1; done' \
    'systemctl stop squatter' finds 6 w-1 port-10250 "used by systemd-socket" "stop what listens"
tried "a route inside the pod network" while_on 'ip route add 10.244.7.0/24 dev host0' 'ip route del 10.244.7.0/24' \
    finds 6 w-1 pod-network "this host sends 10.244.7.0/24 to host0" "spec.network"
tried "an address inside the service network" while_on 'ip addr add 10.96.3.3/24 dev host0' 'ip addr del 10.96.3.3/24 dev host0' \
    finds 6 w-1 service-network "10.96.3.0/24" "spec.network"
tried "a disk that is too small" while_on 'mkdir -p /var/lib/caisson && mount -t tmpfs -o size=300m tmpfs /var/lib/caisson' 'umount -l /var/lib/caisson' \
    finds 6 w-1 disk-space "free below /var/lib/caisson" "larger disk"

# ---- what the lab cannot have: facts that are made up ----

tried "a clock that is three minutes off" finds_simulated '{"w-1": {"clockOffsetMs": -180000}}' 6 w-1 clock "-180000 ms" "chrony"
tried "a kernel without a feature" finds_simulated '{"w-1": {"modules": {"overlay": false}}}' 6 w-1 kernel-overlay missing "linux-image-amd64"
tried "too little memory" finds_simulated '{"w-1": {"memoryBytes": 400000000}}' 6 w-1 memory "400" "more memory"
tried "an old systemd" finds_simulated '{"w-1": {"systemd": 241}}' 6 w-1 systemd 241 "2021"
tried "another architecture" finds_simulated '{"w-1": {"arch": "aarch64"}}' 6 w-1 architecture linux/arm64 "another machine"

# ---- the same checks inside apply, with the real facts ----

apply_refuses() {
    run apply
    ended 6 && said "w-1: tool-nft is missing" && said "nothing was changed" && ! grep -F "simulated" out err && ! grep -F "memory" err &&
        on w-1 '[ ! -e /var/lib/caisson/current ] && [ ! -e /var/lib/containerd ]'
}
apply_with_both() { CAISSON_FACTS_OVERRIDE=facts.json apply_refuses; }
echo '{"w-1": {"memoryBytes": 1, "tools": {"nft": true}}}' >facts.json
tried "apply makes the same checks, and simulated facts are none of its business" \
    while_on 'mv /usr/sbin/nft /root/' 'mv /root/nft /usr/sbin/' apply_with_both
tried "in the end the machines are as they were" clean
summary
