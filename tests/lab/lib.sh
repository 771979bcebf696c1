# shellcheck shell=bash
# What the tests of whole clusters share. Sourced; the working folder becomes that of a cluster (cluster.yaml, bin/ ...).

LAB_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
good=0 bad=0

check() {
    local what=$1
    shift
    if "$@"; then
        good=$((good + 1))
        echo "ok   $what"
    else
        bad=$((bad + 1))
        echo "FAIL $what"
    fi
}

# The last line, and whether all went well.
summary() {
    echo "$good passed, $bad failed"
    [ "$bad" = 0 ]
}

# Polls a command for at most $1 seconds, every half second or as often as `poll` says.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep "${poll:-0.5}"
    done
}

now_ms() { date +%s%3N; }
lab() { "$LAB_TOP/scripts/lab" "$@" --dir .; }
on() { "$LAB_TOP/scripts/lab" ssh --dir . "$@"; }
k() { bin/kubectl --kubeconfig kubeconfig --request-timeout=20s "$@"; }
hosts() { sed -nE 's/^ *- name: (.*)/\1/p' cluster.yaml; }
address() { lab status -o json | jq -r --arg name "$1" '.[] | select(.name == $name) | .address'; }

# ---- the two places where tests run ----

# The cluster that scripts/test made, left healthy by every test that uses it; $work is a folder for logs.
use_cluster() {
    [ "$(id -u)" = 0 ] || exit 77
    [ -n "${CAISSON_CLUSTER-}" ] && [ -e "$CAISSON_CLUSTER/kubeconfig" ] || exit 77
    cd "$CAISSON_CLUSTER" || exit 1
    work=$PWD/test.d
    mkdir -p "$work"
}

# Machines of the test's own with the programs and the bundle of that cluster; gone when the script ends.
own_lab() {
    use_cluster
    work=$(mktemp -d "${TMPDIR:-/tmp}/caisson-lab-test.XXXXXX") || exit 1
    trap own_lab_end EXIT
    trap 'exit 130' INT TERM
    cp -r bin release.key release.pub "$work" && ln -s "$PWD/minimal.csn.tar" "$work" && cd "$work" || exit 1
    lab up "$@" >up.log 2>&1 || { cat up.log; exit 1; }
    bin/caisson init >init.log 2>&1 || { cat init.log; exit 1; }
}

own_lab_end() {
    local status=$?
    trap '' INT TERM
    timeout 120 "$LAB_TOP/scripts/lab" down --dir "$work" >"$work/down.log" 2>&1 || { cat "$work/down.log"; exit 1; }
    cd / && rm -rf -- "$work"
    exit "$status"
}

# The number of a bundle; each other release gets a higher one, since the cluster remembers the highest.
sequence_of() { bin/caisson bundle inspect "$1" --trust release.pub -o json | jq .sequence; }

# Sets the kubelet's override $1 to $2.
override_kubelet() {
    sed -i "/^      $1:/d" cluster.yaml
    if grep -q '^    kubelet:' cluster.yaml; then
        sed -i "s/^    kubelet:.*/&\n      $1: $2/" cluster.yaml
    else
        printf '  overrides:\n    kubelet:\n      %s: %s\n' "$1" "$2" >>cluster.yaml
    fi
}

# ---- what a cluster is like ----

# One line a host: the invocation of each unit, which changes when it is started again.
invocations() {
    local h
    for h in $(hosts); do
        # shellcheck disable=SC2016  # the node's shell expands it
        echo "$h $(on "$h" 'cd /var/lib/caisson/current/units && systemctl show -p InvocationID --value -- * | xargs')"
    done
}

units_run() {
    # shellcheck disable=SC2016
    on "$1" 'cd /var/lib/caisson/current/units && systemctl is-active -- *' >/dev/null
}

# No file on a host that only a rename would have finished. A certificate's folder is .NAME.N for good.
no_leftovers() {
    local h found bad=0
    for h in $(hosts); do
        found=$(on "$h" "find /var/lib/caisson -path /var/lib/caisson/pki -prune -o \( -name '.*' -o -name '*.new' \) -print
            find /run/caisson /run/systemd/system /etc/systemd/system /var/lib/caisson/pki -name '*.new'")
        [ -z "$found" ] || { echo "on $h: $found"; bad=1; }
    done
    return "$bad"
}

nodes_ready() {
    local want have
    want=$(hosts | wc -l)
    have=$(k get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l)
    [ "$want" = "$have" ]
}

status_ready() { bin/caisson status -o json 2>/dev/null | jq -e .ready >/dev/null; }

# apply has nothing to do, says so, and starts nothing again.
settled() {
    local before out
    before=$(invocations)
    out=$(bin/caisson apply 2>"$work/settled.log") || { cat "$work/settled.log"; return 1; }
    [ "$out" = "0 changes" ] || { echo "said: $out"; return 1; }
    [ "$before" = "$(invocations)" ] || { echo "a unit was started again"; return 1; }
}
