#!/usr/bin/env bash
# Hosts leave a running cluster and come back: a worker and a control-plane machine that are alive, and one that is lost.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
[ "$(hosts | grep -c '^cp-')" = 3 ] && [ "$(hosts | grep -c '^w-')" -ge 1 ] || exit 77
cp cluster.yaml "$work/members.yaml"
trap 'cp "$work/members.yaml" cluster.yaml' EXIT

# cluster.yaml without the hosts named.
without() {
    cp "$work/members.yaml" cluster.yaml
    local h
    for h in "$@"; do
        sed -i "/^    - name: $h\$/,/^      ssh:/d" cluster.yaml
    done
}

apply() { bin/caisson apply >"$work/members.out" 2>"$work/members.log" || { cat "$work/members.out" "$work/members.log"; return 1; }; }

# apply ends with exit status $1 and names $2.
apply_ends() {
    local status=0
    bin/caisson apply >"$work/members.out" 2>"$work/members.log" || status=$?
    [ "$status" = "$1" ] && grep -F "$2" "$work/members.log" >/dev/null && return
    echo "exit status $status"
    cat "$work/members.out" "$work/members.log"
    return 1
}

voters() { bin/caisson status -o json 2>/dev/null | jq '[.etcd.each[] | select(.learner | not)] | length'; }
has_voters() { [ "$(voters)" = "$1" ]; }

# Nothing of a node is left on the machine: no tree, no unit, no process of ours.
is_clean() {
    # shellcheck disable=SC2016  # the node's shell expands it
    on "$1" '[ ! -e /var/lib/caisson ] && [ ! -e /var/lib/etcd ] && [ ! -e /var/lib/kubelet ] && ! systemctl cat kubelet.service etcd.service >/dev/null 2>&1 &&
        ! ps -eo comm | grep -E "^(kube|etcd|containerd|flanneld)"'
}

# A bare pod is refused until its namespace has an account for it.
has_account() { k -n members get serviceaccount default >/dev/null 2>&1; }

# Two pods that may run anywhere, of which one must always be there; and one that nobody would start again.
start_pods() {
    k create namespace members >/dev/null && within 30 has_account && k -n members apply -f - >/dev/null <<'YAML' &&
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations: [{operator: Exists}]
      securityContext: {runAsNonRoot: true, runAsUser: 65535, seccompProfile: {type: RuntimeDefault}}
      containers: [{name: pause, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}, image: "registry.k8s.io/pause:3.10.2"}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: alone}
spec:
  nodeName: w-1
  securityContext: {runAsNonRoot: true, runAsUser: 65535, seccompProfile: {type: RuntimeDefault}}
  containers: [{name: pause, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}, image: "registry.k8s.io/pause:3.10.2"}]
YAML
        k -n members rollout status deployment web --timeout=60s >/dev/null &&
        k -n members wait pod alone --for=condition=Ready --timeout=60s >/dev/null
}

pods_are_guarded() {
    without w-1
    apply_ends 6 members/alone || return 1
    [ -z "$(k get node w-1 -o jsonpath='{.spec.unschedulable}')" ] || { echo "w-1 was cordoned"; return 1; }
    k -n members delete pod alone --now >/dev/null
}

plan_names_them() {
    without w-1 cp-3
    bin/caisson plan >"$work/members.plan" 2>/dev/null
    [ $? = 2 ] && grep '^w-1: drain' "$work/members.plan" >/dev/null && grep '^cp-3: drain' "$work/members.plan" >/dev/null
}

living_leave() {
    without w-1 cp-3
    apply || return 1
    [ "$(k get nodes -o name | xargs)" = "node/cp-1 node/cp-2" ] || { k get nodes; return 1; }
    [ "$(k -n members get deployment web -o jsonpath='{.status.availableReplicas}')" = 2 ] || { k -n members get pods -o wide; return 1; }
}

# A delta by what the others hold has nothing for those that come: known before anything is changed.
delta_is_refused() {
    bin/caisson bundle held >"$work/held.json" 2>"$work/members.log" || { cat "$work/members.log"; return 1; }
    bin/caisson bundle delta minimal.csn.tar --base "$work/held.json" --out "$work/delta.tar" >/dev/null || return 1
    sed -E 's|^  release: .*|  release: ./test.d/delta.tar|' "$work/members.yaml" >cluster.yaml
    apply_ends 4 "E_MISSING: 2 hosts need what the delta was made without" || return 1
    grep -E '^ *w-1: package [a-z-]+ sha256:[0-9a-f]{64}' "$work/members.log" >/dev/null || { cat "$work/members.log"; return 1; }
    on w-1 '[ ! -e /var/lib/caisson/tree ] && [ ! -e /var/lib/caisson/generations ]'
}

come_back() {
    local before after
    without cp-3 w-1
    before=$(invocations)
    cp "$work/members.yaml" cluster.yaml
    apply || return 1
    without cp-3 w-1
    after=$(invocations)
    cp "$work/members.yaml" cluster.yaml
    [ "$before" = "$after" ] || { echo "units of those that stayed were started again"; return 1; }
    within 60 nodes_ready
}

lost_leaves() {
    lab cut cp-2 >/dev/null 2>&1
    without cp-2
    apply_ends 0 "cp-2: has left the cluster but could not be cleaned" && ! k get node cp-2 >/dev/null 2>&1
}

lost_returns() {
    lab start cp-2 >/dev/null 2>&1
    cp "$work/members.yaml" cluster.yaml
    apply_ends 6 "cp-2 runs a control plane that etcd does not know any more" || return 1
    bin/caisson reset cp-2 --yes >"$work/members.log" 2>&1 || { cat "$work/members.log"; return 1; }
    apply && within 60 nodes_ready
}

check "pods run on the worker" start_pods
check "a pod without a controller stops its node's removal, and is named" pods_are_guarded
check "plan names the hosts that leave" plan_names_them
check "a worker and a control-plane machine leave, drained within the disruption budget" living_leave
check "etcd has two voters" has_voters 2
check "the worker's machine is clean" is_clean w-1
check "the control-plane machine is clean" is_clean cp-3
check "a delta without what they need is refused" delta_is_refused
check "both come back, and nothing restarts on the others" come_back
check "etcd has three voters" has_voters 3
k delete namespace members --wait=false >/dev/null
check "a control-plane machine that is lost leaves without its help" lost_leaves
check "etcd has two voters again" has_voters 2
check "its return is noticed, reset makes it a new machine" lost_returns
check "etcd has three voters again" has_voters 3
check "all is settled" settled
summary
