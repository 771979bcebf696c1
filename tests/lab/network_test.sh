#!/usr/bin/env bash
# What pods, nodes and people reach in a cluster: pods across nodes, names, Services of each type, logs, exec, port-forward.
# Uses the images of the add-on (addon_test.sh add).
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
grep '^  addons:' cluster.yaml >/dev/null || { echo "the add-on is not there: addon_test.sh add"; exit 77; }
forward=''

clean_up() {
    local status=$?
    [ -z "$forward" ] || kill "$forward" 2>/dev/null
    kn delete namespace lab-network --wait=false >/dev/null 2>&1
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

kn() { k -n lab-network "$@"; }
pods() { kn get pods -l "app=$1" -o jsonpath='{range .items[*]}{.metadata.name}{"\n"}{end}' | sort; }
server_addresses() { kn get pods -l app=server -o jsonpath='{range .items[*]}{.status.podIP}{"\n"}{end}' | sort; }
service_address() { kn get service "$1" -o 'jsonpath={.spec.clusterIP}'; }

# in_pod POD: runs the script of stdin there.
in_pod() { kn exec -i "$1" -- sh; }

rolled_out() {
    kn rollout status daemonset/server --timeout=15s >/dev/null 2>&1 && kn rollout status daemonset/client --timeout=15s >/dev/null 2>&1 &&
        [ "$(pods server | wc -l)" = "$(hosts | wc -l)" ] && [ "$(pods client | wc -l)" = "$(hosts | wc -l)" ]
}

# Every client asks every server for its name.
pods_reach_pods() {
    local client got want
    want=$(pods server | xargs)
    for client in $(pods client); do
        got=$(in_pod "$client" <<<"for a in $(server_addresses | xargs); do curl -sS --max-time 5 http://\$a:8080/hostname; echo; done" | sort | xargs)
        [ "$got" = "$want" ] || { echo "$client reaches: $got"; return 1; }
    done
}

# Longer than any packet: a wrong MTU of the overlay would lose it.
long_messages() {
    local client
    for client in $(pods client); do
        [ "$(in_pod "$client" <<<"m=\$(head -c 20000 /dev/zero | tr '\\0' x)
            for a in $(server_addresses | xargs); do curl -sS --max-time 5 http://\$a:8080/echo?msg=\$m | wc -c; done" | sort -u)" = 20000 ] || return 1
    done
}

# names_of_servers: twenty names in stdin, all of servers and more than one of them.
names_of_servers() {
    local got
    got=$(cat)
    if [ "$(wc -l <<<"$got")" != 20 ] || [ "$(sort -u <<<"$got" | wc -l)" -lt 2 ] || [ -n "$(sort -u <<<"$got" | comm -23 - <(pods server))" ]; then
        echo "$got"
        return 1
    fi
}

service_from_pods() {
    local client
    for client in $(pods client); do
        # shellcheck disable=SC2016  # the pod's shell expands it
        in_pod "$client" <<<'for i in $(seq 20); do curl -sS --max-time 5 http://server/hostname; echo; done' | names_of_servers || { echo "in $client"; return 1; }
    done
}

service_from_nodes() {
    local h address
    address=$(service_address server)
    for h in $(hosts); do
        on "$h" "for i in \$(seq 20); do exec 3<>/dev/tcp/$address/80 && printf 'GET /hostname HTTP/1.0\r\n\r\n' >&3 && tail -n 1 <&3; echo; done" |
            names_of_servers || { echo "on $h"; return 1; }
    done
}

# lookup POD NAME: the addresses that its resolver gives.
lookup() { in_pod "$1" <<<"getent ahostsv4 $2 || true" | awk '$2 == "STREAM" { print $1 }' | sort; }

dns_of_services() {
    local client name
    for client in $(pods client); do
        for name in server server.lab-network server.lab-network.svc.cluster.local; do
            [ "$(lookup "$client" "$name")" = "$(service_address server)" ] || { echo "$client: $name: $(lookup "$client" "$name")"; return 1; }
        done
        [ "$(lookup "$client" each)" = "$(server_addresses)" ] || { echo "$client: each: $(lookup "$client" each)"; return 1; }
    done
}

# No name server was given for names outside: the answer is "no", at once, and nothing is asked elsewhere.
dns_of_outside() {
    local client
    for client in $(pods client); do
        [ "$(in_pod "$client" <<<'timeout 4 getent hosts example.com; echo $?')" = 2 ] || { echo "$client"; return 1; }
    done
    [ "$(lab net egress)" = 0 ]
}

node_port() {
    local h port
    port=$(kn get service outside -o 'jsonpath={.spec.ports[0].nodePort}')
    for h in $(hosts); do
        for _ in $(seq 20); do
            curl -sS --max-time 5 "http://$(address "$h"):$port/hostname" && echo
        done | names_of_servers || { echo "through $h"; return 1; }
    done
}

logs_of_all() {
    local pod
    for pod in $(pods server); do
        kn logs "$pod" | grep 'Started HTTP server on port 8080' >/dev/null || { echo "$pod"; return 1; }
    done
}

exec_gives_exit_code() {
    local pod
    for pod in $(pods client); do
        kn exec "$pod" -- sh -c 'exit 42' 2>/dev/null
        [ $? = 42 ] || { echo "$pod"; return 1; }
    done
}

forward_port() { sed -nE 's/^Forwarding from 127\.0\.0\.1:([0-9]+) .*/\1/p' "$work/forward.log"; }
forwarding() { [ -n "$(forward_port)" ]; }

port_forward() {
    local pod got
    for pod in $(pods server); do
        : >"$work/forward.log" # here, or the last pod's port might be read before the new kubectl truncates the file
        bin/kubectl --kubeconfig kubeconfig -n lab-network port-forward --address 127.0.0.1 "pod/$pod" :8080 >"$work/forward.log" 2>&1 &
        forward=$!
        within 30 forwarding
        got=$(curl -sS --max-time 10 "http://127.0.0.1:$(forward_port)/hostname")
        kill "$forward"
        wait "$forward" 2>/dev/null
        forward=''
        [ "$got" = "$pod" ] || { echo "$pod: $got"; cat "$work/forward.log"; return 1; }
    done
}

kn delete namespace lab-network --ignore-not-found --timeout=60s >/dev/null 2>&1
kn apply -f "$LAB_TOP/tests/lab/network.yaml" >"$work/network.log" 2>&1 || { cat "$work/network.log"; exit 1; }
check "a server and a client run on every node" within 120 rolled_out
check "pods reach pods on all nodes" pods_reach_pods
check "and their long messages arrive" long_messages
check "names of Services, with and without an address, resolve" dns_of_services
check "a name outside gets an answer at once, and no packet leaves" dns_of_outside
check "a Service answers pods, from all its pods" service_from_pods
check "a Service answers nodes" service_from_nodes
check "a NodePort answers on every node" node_port
check "kubectl logs from every node" logs_of_all
check "kubectl exec on every node hands the exit code through" exec_gives_exit_code
check "kubectl port-forward to every node" port_forward
check "nothing tried to leave the lab" test "$(lab net egress)" = 0
summary
