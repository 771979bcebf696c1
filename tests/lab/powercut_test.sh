#!/usr/bin/env bash
# A node loses power at each step of an activation, on a disk that loses what was not synced. A tracer on the node's sshd
# holds the helper before or behind a chosen rename(2); then the power goes, the node starts again by itself, and
# `current` is the old or the new generation, whole.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
command -v strace >/dev/null && command -v mkfs.xfs >/dev/null && losetup -f >/dev/null 2>&1 || exit 77
own_lab --control-planes 1 --workers 1 --disk-images
readonly node=w-1 base=/var/lib/caisson
applying='' tracer='' helpers=''

of_node() { pgrep --ns "$(lab status -o json | jq ".[] | select(.name == \"$node\") | .leader")" --nslist pid "$@"; }

# ---- the cut ----

# hold PATH WHEN enter|exit: the helper stops before (behind) its WHEN'th rename of PATH.
hold() {
    local sshd
    sshd=$(of_node -o -x sshd) || return 1
    strace -f -qq -o strace.log -p "$sshd" -P "$1" -e trace=renameat -e "inject=renameat:delay_$3=600000000:when=$2" &
    tracer=$!
    disown # it will be killed, and nobody has to hear of it
    within 10 grep -q "^TracerPid:[[:space:]]*$tracer$" "/proc/$sshd/status"
}

# Threads of the helper that the tracer holds, with their counts of context switches.
stopped_threads() {
    local pid
    for pid in $helpers; do
        grep -hE '^(Pid|State|.*voluntary_ctxt_switches):' "/proc/$pid/task"/*/status 2>/dev/null | paste - - - - | grep 'tracing stop'
    done
}

# True when one of them did nothing for half a second: it is held for good.
held() {
    local before
    helpers=$(of_node -x caisson-node)
    before=$(stopped_threads)
    [ -n "$before" ] || return 1
    sleep 0.5
    [ -n "$(comm -12 <(sort <<<"$before") <(stopped_threads | sort))" ]
}

held_or_over() { held || ! kill -0 "$applying" 2>/dev/null; }

# cut_at PATH WHEN enter|exit: applies cluster.yaml, and cuts the power at that rename.
cut_at() {
    local over=0
    hold "$@" || { echo "cannot trace the node's sshd"; return 1; }
    bin/caisson apply >apply.log 2>&1 &
    applying=$!
    disown
    within 120 held_or_over
    kill -0 "$applying" 2>/dev/null || over=1
    # The helper first, so that it does nothing more when its tracer goes; the tracer, or the killed machine would stay
    # half there; and the admin host is lost as well.
    # shellcheck disable=SC2086  # several
    kill -KILL $helpers "$tracer" "$applying" 2>/dev/null
    lab cut "$node" || return 1
    lab start "$node" || return 1
    [ "$over" = 0 ] || { echo "apply came to its end first"; cat apply.log; return 1; }
}

# ---- what is found after it ----

# What the node has ("" when nothing) and what it shall get.
digests() { bin/caisson status -o json 2>/dev/null | jq -r ".nodes[] | select(.name == \"$node\") | .generation, .wanted"; }

# `current` is one of the two generations in $1, and every file is what its manifest says.
whole() {
    local found=''
    if on "$node" test -L "$base/current"; then
        on "$node" cat "$base/current/manifest.json" >manifest.json || return 1
        found=$(sha256sum manifest.json | cut -c1-64)
    fi
    grep -qx "$found" <<<"$1" || { echo "current is $found, neither of $1"; return 1; }
    echo "current: the $([ "$found" = "$(head -n 1 <<<"$1")" ] && echo old || echo new) generation"
    [ -n "$found" ] || return 0
    jq -r --arg at "$base/current" '(.files[] | select(.source != "secret") | "\(.digest)  \($at)/files/\(.name)"),
        (.units[] | "\(.digest)  \($at)/units/\(.name)")' manifest.json | on "$node" sha256sum --quiet -c - || return 1
    within 90 units_run "$node"
}

apply_finishes() { bin/caisson apply >apply.log 2>&1 || { cat apply.log; return 1; }; }

says_nothing_to_do() {
    local out
    out=$(bin/caisson apply 2>/dev/null)
    [ "$out" = "0 changes" ] || { echo "said: $out"; return 1; }
}

# ---- first install: from nothing to a generation ----

either=$(digests)
check "first install: power cut behind the flip" cut_at current.new 1 exit
check "the node is empty or whole" whole "$either"
check "apply finishes" apply_finishes
check "nothing unfinished stays" no_leftovers
check "apply says 0 changes" says_nothing_to_do

# ---- a changed generation ----

pods=50
at_step() {
    local what=$1 path=$2 next
    next=$(($(on "$node" readlink "$base/current" | tr -dc 0-9) + 1))
    override_kubelet maxPods "$((pods += 1))"
    either=$(digests)
    check "power cut $what" cut_at "${path//%N/$next}" "$3" "$4"
    check "current is whole and its units run" whole "$either"
    check "apply finishes" apply_finishes
    check "apply says 0 changes" says_nothing_to_do
}

at_step "before the new generation is in its place" generations/.%N 1 enter
at_step "when it has just got its place" generations/.%N 1 exit
at_step "before the activation is noted" generations/%N/activation.json.new 1 enter
at_step "before the flip" current.new 1 enter
at_step "behind the flip" current.new 1 exit
at_step "before the unit is restarted" run/caisson/started/kubelet.service.new 1 enter
at_step "when the unit was restarted" run/caisson/started/kubelet.service.new 2 exit
at_step "before the end is noted" generations/%N/activation.json.new 2 enter
at_step "when the end was noted" generations/%N/activation.json.new 2 exit
check "nothing unfinished stays" no_leftovers
summary
