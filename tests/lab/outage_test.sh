#!/usr/bin/env bash
# Power cuts of a cluster's machines: of one control-plane machine while others work, then of all at once.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
[ "$(hosts | grep -c '^cp-')" -ge 3 ] || exit 77

# The etcd leader's machine: the loss that costs most.
leader() {
    local h
    for h in $(hosts | grep '^cp-'); do
        # shellcheck disable=SC2016
        on "$h" 'exec 3<>/dev/tcp/127.0.0.1/2381; printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; cat <&3' |
            grep '^etcd_server_is_leader 1' >/dev/null && echo "$h" && return
    done
    return 1
}

# True when the kubelets of hosts $2... told the API server after the time $1 (seconds) that they live, and are Ready.
ready_since() {
    local since=$1 h renewed
    shift
    for h in "$@"; do
        renewed=$(k_alive -n kube-node-lease get lease "$h" -o 'jsonpath={.spec.renewTime}' 2>/dev/null) || return 1
        [ "$(date -d "$renewed" +%s)" -gt "$since" ] || return 1
        [ "$(k_alive get node "$h" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = True ] || return 1
    done
}

k_alive() { k --server "https://$alive:6443" "$@"; }

victim=$(leader) || { echo "FAIL no machine leads etcd"; exit 1; }
survivor=$(hosts | grep '^cp-' | grep -vx "$victim" | head -n 1)
worker=$(hosts | grep '^w-' | head -n 1)
alive=$(address "$survivor")
dead=$(address "$victim")
echo "cut: $victim, which leads etcd; calls from $worker through its balancer"

# ---- one control-plane machine ----

calls() {
    "$LAB_TOP/scripts/lab" ssh --dir . "$worker" bash -s 45 "$dead" <"$LAB_TOP/tests/lab/outage_caller.sh" >"$work/calls.log"
}

calls_run() { [ "$(grep -c '^call .* ok$' "$work/calls.log")" -ge 5 ] && grep -E '^links [0-9]+ [1-9]' "$work/calls.log" >/dev/null; }

status_tells() {
    local out code begin=$SECONDS
    out=$(timeout 120 bin/caisson status -o json 2>"$work/status.log")
    code=$?
    echo "status: exit $code after $((SECONDS - begin)) s"
    [ "$code" = 3 ] || return 1
    [ "$(jq -r '[.nodes[] | select(.state == "unreachable") | .name] | join(" ")' <<<"$out")" = "$victim" ] || { echo "$out"; return 1; }
    [ "$(jq -r '.ready, .api.ready, ([.etcd.each[] | select(.healthy)] | length)' <<<"$out" | xargs)" = "false true 2" ] || { echo "$out"; return 1; }
}

write_works() {
    k_alive create configmap outage --from-literal=a=b >/dev/null && k_alive delete configmap outage >/dev/null
}

# The longest time between two answers, and no failed call later than ten seconds after the cut.
calls_went_on() {
    awk -v cut="$cut_ms" '
        $1 == "call" && $4 == "ok" { if (last && $3 - last > gap) gap = $3 - last; last = $3; good++; if ($2 > cut + 10000) later++ }
        $1 == "call" && $4 != "ok" { bad++; if ($2 > cut + 10000) late++ }
        END {
            printf "%d calls answered, %d failed; longest gap between answers %.1f s\n", good, bad, gap / 1000
            exit !(good >= 20 && later >= 10 && late == 0 && gap < 15000)
        }' "$work/calls.log"
}

# Of the watches through the dead machine none may hang; and the balancer itself has let go.
watches_dropped() {
    awk -v cut="$cut_ms" '
        $1 == "watch" && $3 > cut && $3 - $2 < 40000 { n++; if ($3 - cut > worst) worst = $3 - cut }
        $1 == "links" && $2 > cut && $3 > 0 { seen = $2 - cut }
        $1 == "links" && $3 == 0 && $2 > cut { gone++ }
        END {
            printf "%d of 9 watches dropped, the last %.1f s after the cut; last connection to the dead machine seen %.1f s after it\n", n, worst / 1000, seen / 1000
            exit !(n >= 1 && worst <= 10000 && seen <= 10000 && gone > 0)
        }' "$work/calls.log"
}

: >"$work/calls.log"
calls &
caller=$!
check "calls go through the balancer, some to $victim" within 30 calls_run
cut_ms=$(now_ms)
check "cut $victim" lab cut "$victim"
check "status says who is away and ends" status_tells
check "changes are accepted meanwhile" within 30 write_works
wait "$caller"
check "API calls through the balancer went on" calls_went_on
check "connections to the dead machine were dropped within 10 s" watches_dropped
check "start $victim" lab start "$victim"
check "$victim becomes Ready by itself" within 180 ready_since "$(date +%s)" "$victim"
check "the whole cluster is as before" within 120 status_ready

# ---- all machines ----

dns_ready() { k_alive -n kube-system rollout status deployment/coredns --timeout=2s >/dev/null 2>&1; }

mapfile -t all < <(hosts)
check "cut all machines" lab cut "${all[@]}"
check "start all machines" lab start "${all[@]}"
check "all are Ready by themselves" within 240 ready_since "$(date +%s)" "${all[@]}"
check "and so is the cluster's DNS" within 120 dns_ready
check "status says ready" within 120 status_ready
check "apply says 0 changes and starts nothing again" settled
summary
