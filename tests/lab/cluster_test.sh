#!/usr/bin/env bash
# A real cluster, made by scripts/quickstart, looked at and changed as an operator would. CAISSON_CLUSTER is its folder.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
readonly top=$LAB_TOP

second_apply() {
    settled || return 1
    bin/caisson plan >/dev/null 2>&1 || { echo "plan exits $?"; return 1; }
}

# Every file of the packages on the nodes is in the release's bill of materials.
packages_are_listed() {
    local h
    bin/caisson bundle sbom minimal.csn.tar --trust release.pub |
        jq -r '.. | objects | .hashes[]? | select(.alg == "SHA-256").content' | sort -u >"$work/listed" || return 1
    for h in $(hosts); do
        on "$h" 'find /var/lib/caisson/tree -type f -exec sha256sum {} +' | cut -c 1-64 | sort -u >"$work/there"
        [ -s "$work/there" ] || { echo "$h: no packages"; return 1; }
        comm -23 "$work/there" "$work/listed" | grep . && { echo "$h has these files, and they are not listed"; return 1; }
    done
    return 0
}

# Other metadata, equal payload: the release's digest differs, the nodes' generations do not; only that it was there is kept.
rebuilt_release() {
    local before out next
    next=$(($(sequence_of minimal.csn.tar) + 1))
    cp minimal.csn.tar "$work/first.tar"
    bin/caisson bundle build --profile "$top/profiles/minimal.yaml" --bundles "$top/bundles" --key release.key --sequence "$next" \
        --source-date-epoch 1700000000 --out minimal.csn.tar >"$work/rebuild.log" 2>&1 || return 1
    before=$(invocations)
    out=$(bin/caisson apply 2>"$work/apply3.log")
    cmp -s minimal.csn.tar "$work/first.tar" && { echo "the bundle is the same"; return 1; }
    if [ "${out%% in *}" != "1 change" ] || [ "$before" != "$(invocations)" ]; then
        echo "said: $out"
        cat "$work/apply3.log"
        return 1
    fi
}

units_of() { on "$1" systemctl show -p InvocationID --value "$2"; }

# A kubelet override restarts kubelets and nothing else.
changed_override() {
    local h before after kubelet_before
    before=$(invocations)
    h=$(hosts | head -n 1)
    kubelet_before=$(units_of "$h" kubelet)
    override_kubelet maxPods 99
    bin/caisson plan >"$work/plan.txt" 2>/dev/null
    [ $? = 2 ] || { echo "plan does not exit 2"; return 1; }
    grep -E 'start|stop' "$work/plan.txt" | grep -qv 'restart kubelet.service' && { cat "$work/plan.txt"; return 1; }
    bin/caisson apply >"$work/apply4.log" 2>&1 || { cat "$work/apply4.log"; return 1; }
    [ "$kubelet_before" != "$(units_of "$h" kubelet)" ] || { echo "the kubelet was not restarted"; return 1; }
    after=$(invocations)
    # all ids but one of each line stay
    [ "$(echo "$before" | tr ' ' '\n' | sort | comm -12 - <(echo "$after" | tr ' ' '\n' | sort) | grep -cE '^[0-9a-f]{32}$')" = \
        "$(($(echo "$before" | tr ' ' '\n' | grep -cE '^[0-9a-f]{32}$') - $(hosts | wc -l)))" ] || { echo "more than kubelets changed"; return 1; }
    within 60 nodes_ready || return 1
    k get node "$h" -o jsonpath='{.status.capacity.pods}' | grep -qx 99
}

logs_and_exec() {
    local pod
    pod=$(k -n kube-flannel get pods -o jsonpath='{.items[0].metadata.name}') || return 1
    # grep reads to the end: leaving early would kill kubectl in the middle of its output
    k -n kube-flannel logs "$pod" -c flannel | grep . >/dev/null && k -n kube-flannel exec "$pod" -c flannel -- /opt/bin/flanneld --version
}

anonymous_is_refused() {
    local server
    server=$(sed -nE 's/.*server: (.*)/\1/p' kubeconfig)
    [ "$(curl -sk -o /dev/null -w '%{http_code}' "$server/readyz")" = 200 ] &&
        [ "$(curl -sk -o /dev/null -w '%{http_code}' "$server/api/v1/namespaces")" = 401 ]
}

secrets_are_encrypted() {
    local cp
    cp=$(hosts | head -n 1)
    k create secret generic canary --from-literal=key=canary-4711 >/dev/null || return 1
    # shellcheck disable=SC2016  # the node's shell expands it
    on "$cp" 'P=/var/lib/caisson/pki/kube-apiserver-etcd-client; T=$(echo /var/lib/caisson/tree/*/bin/etcdctl); $T --endpoints=https://127.0.0.1:2379 \
        --cacert=/var/lib/caisson/current/files/etcd/ca.crt --cert=$P/tls.crt --key=$P/tls.key get /registry/secrets/default/canary' >"$work/secret.bin"
    k delete secret canary >/dev/null
    grep -aq 'k8s:enc:secretbox:v1:' "$work/secret.bin" && ! grep -aq canary-4711 "$work/secret.bin"
}

# No secret of the vault and no private key in any journal, process list or log of a node or here.
no_secret_leaks() {
    local h part
    part=$(openssl cms -decrypt -inform PEM -in secrets.vault -inkey "${XDG_CONFIG_HOME:-$HOME/.config}"/caisson/keys/operator.key \
        -recip "${XDG_CONFIG_HOME:-$HOME/.config}"/caisson/keys/operator.crt | jq -r '.encryptionKey, .digestKey, (.authorities[].key | split("\n")[1])')
    [ "$(echo "$part" | wc -l)" = 5 ] || { echo "no secrets to look for"; return 1; }
    for h in $(hosts); do
        on "$h" 'journalctl --no-pager -o cat; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n"' >"$work/seen.$h"
        ! grep -aqF -f <(echo "$part") "$work/seen.$h" || { echo "found on $h"; return 1; }
    done
    ! grep -aqF -f <(echo "$part") "$work"/*.log
}

modes_on_nodes() {
    local h
    for h in $(hosts); do
        # shellcheck disable=SC2016
        on "$h" 'bad=$(find -L /var/lib/caisson/ -type f \( -name "*.key" -o -path "*/secrets/*" \) -perm /077); [ -z "$bad" ] || { echo "$bad"; exit 1; }' || return 1
    done
}

dns_is_spread() { [ "$(k -n kube-system get pods -l k8s-app=kube-dns -o jsonpath='{range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u | wc -l)" = 2 ]; }

no_egress() { [ "$(lab net egress)" = 0 ]; }

# Its machines under another cluster's name: nothing is planned for them, and nothing taken over.
foreign_is_refused() {
    local verb
check "every file of the packages on the nodes is in the bill of materials" packages_are_listed
    sed -E 's/^metadata: .*/metadata: {name: another}/' cluster.yaml >another.yaml
    for verb in plan preflight apply; do
        bin/caisson -c another.yaml "$verb" >"$work/another.log" 2>&1
        [ $? = 6 ] || { cat "$work/another.log"; return 1; }
        grep -F 'it is a machine of cluster' "$work/another.log" >/dev/null || { cat "$work/another.log"; return 1; }
    done
    rm another.yaml
}

check "all nodes are Ready" within 60 nodes_ready
check "status says ready" status_ready
check "cluster DNS runs on two machines" dns_is_spread
check "the second apply says 0 changes and starts nothing again" second_apply
check "another cluster's machines are refused" foreign_is_refused
check "a rebuilt release with equal payload changes nothing" rebuilt_release
check "kubectl logs and exec through verified kubelet certificates" logs_and_exec
check "anonymous requests reach readyz and nothing else" anonymous_is_refused
check "Secrets are encrypted in etcd" secrets_are_encrypted
check "a changed kubelet override restarts kubelets only" changed_override
check "private keys and secrets are readable by their owner only" modes_on_nodes
check "no secret in journals, arguments, environments and logs" no_secret_leaks
check "nothing tried to leave the lab" no_egress
summary
