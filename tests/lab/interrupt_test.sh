#!/usr/bin/env bash
# apply is cut off in every way: connections that die, SIGKILL, Ctrl-C. The next apply finishes, and nothing runs twice.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
own_lab --control-planes 1 --workers 1
applying=0 code=0 dropper=0

# ---- cutting off ----

started() { grep -E "$1" apply.log >/dev/null || ! kill -0 "$applying" 2>/dev/null; }

# Starts apply and waits until it says $1.
apply_until() {
    : >apply.log # here, or what the last apply said might be read before the new one truncates the file
    bin/caisson apply >apply.out 2>apply.log &
    applying=$!
    poll=0.05 within 180 started "$1"
    grep -E "$1" apply.log >/dev/null && return
    echo "apply never said $1"
    cat apply.log
    return 1
}

# The end of it must come within $1 seconds with exit status $2.
ends() {
    local begin=$SECONDS
    within "$1" gone || { echo "apply still runs after $1 s"; kill -KILL "$applying"; }
    wait "$applying" 2>/dev/null
    code=$?
    [ "$code" = "$2" ] && return
    echo "exit status $code after $((SECONDS - begin)) s"
    cat apply.log apply.out
    return 1
}

gone() { [[ $(ps -o stat= -p "$applying") != [A-Y]* ]]; }
says() { cat apply.log apply.out | grep -E "$1" >/dev/null || { cat apply.log apply.out; return 1; }; }

# Ends the session on the node, as a broken sshd would; the helper is not touched. The login for it is made before: what is
# to be hit may last a second only.
# shellcheck disable=SC2016  # the node's shell expands it
arm() {
    rm -f trigger armed && mkfifo trigger || return 1
    on "$1" 'echo; read -r _; for p in $(pgrep -x caisson-node); do q=$(ps -o ppid= -p "$p" | xargs); [ "$(ps -o comm= -p "$q")" != sshd ] || kill -KILL "$q"; done' <trigger >armed &
    dropper=$!
    exec 7>trigger
    within 20 [ -s armed ]
}

drop_session() {
    echo >&7
    exec 7>&-
    wait "$dropper"
}

apply_finishes() { bin/caisson apply >apply.out 2>apply.log || { cat apply.log; return 1; }; }

# ---- what must not happen twice ----

# Starts of a unit on a host since the mark.
starts() { on "$1" "journalctl -q -o cat -u $2 --after-cursor='${cursor[$1]}'" | grep -c '^Started '; }

declare -A cursor
mark() {
    local h
    for h in $(hosts); do
        cursor[$h]=$(on "$h" journalctl -q -n 0 --show-cursor | sed -n 's/^-- cursor: //p')
    done
}

once_each() {
    local h n
    for h in $(hosts); do
        n=$(starts "$h" kubelet.service)
        [ "$n" = 1 ] || { echo "$h: the kubelet was started $n times"; return 1; }
    done
}

pods=50
change() {
    override_kubelet maxPods "$((pods += 1))"
    mark
}

# ---- the first install ----

check "packages are on their way to w-1" apply_until 'w-1: send package containerd'
check "w-1 falls silent" lab net drop w-1
check "apply gives up and exits 3" ends 120 3
check "it names w-1" says 'error: .*w-1'
check "the network is back" lab net clear
check "apply again comes to an activation" apply_until 'activate generation'
kill -KILL "$applying"
check "and is killed" ends 5 137
check "a login to w-1 waits" arm w-1
check "apply again sends images" apply_until 'w-1: import'
check "w-1 loses the session" drop_session
check "apply exits 3" ends 120 3
ran=$(invocations)
check "apply finishes" apply_finishes
check "units that ran were not started again" [ -z "$(comm -23 <(tr ' ' '\n' <<<"$ran" | grep -E '^[0-9a-f]{32}$' | sort) <(invocations | tr ' ' '\n' | sort))" ]
bin/caisson kubeconfig --out kubeconfig 2>/dev/null
check "all nodes are Ready" within 120 nodes_ready

# ---- Ctrl-C ----

change
check "an activation runs" apply_until 'cp-1: activate generation'
kill -INT "$applying"
check "Ctrl-C once: exits 130 behind the step" ends 60 130
check "it says what is done" says '^done: cp-1$'
check "and what is not" says '^not done: w-1'
check "cp-1 has its new generation" [ "$(starts cp-1 kubelet.service)" = 1 ]
check "w-1 does not" [ "$(starts w-1 kubelet.service)" = 0 ]
check "apply finishes" apply_finishes
check "each kubelet was started once" once_each

change
check "an activation runs" apply_until 'cp-1: activate generation'
kill -INT "$applying"
within 10 started 'stopping after'
kill -INT "$applying"
check "Ctrl-C twice: ends at once" ends 2 130
check "apply finishes" apply_finishes
check "each kubelet was started once" once_each

# ---- the session, and the admin host ----

change
check "a login to cp-1 waits" arm cp-1
check "an activation runs" apply_until 'cp-1: activate generation'
check "cp-1 loses the session" drop_session
check "apply exits 3" ends 60 3
check "apply finishes" apply_finishes
check "each kubelet was started once" once_each

change
for words in 'connect$' 'cp-1: connected' 'cp-1: activate' 'w-1: activate' 'wait for'; do
    apply_until "$words" >/dev/null && kill -KILL "$applying" 2>/dev/null
    wait "$applying" 2>/dev/null
done
check "apply finishes behind five that were killed" apply_finishes
check "each kubelet was started once" once_each
check "all nodes are Ready" within 120 nodes_ready
check "apply says 0 changes" settled

check "nothing unfinished stays on the nodes" no_leftovers
check "nor here" [ -z "$(find . "${XDG_CONFIG_HOME:-$HOME/.config}/caisson" -name '*.new' -o -name '*.tmp' -o -name '.#*')" ]
summary
