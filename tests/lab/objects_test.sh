#!/usr/bin/env bash
# Another release, of which only manifests differ: only those objects are applied, one that left is pruned, nothing on any
# node is touched. The cluster has its own release again afterwards.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
use_cluster
readonly bundles=$work/bundles

clean_up() {
    local status=$?
    mv -f "$work/own.csn.tar" minimal.csn.tar
    exit "$status"
}
cp minimal.csn.tar "$work/own.csn.tar" || exit 1
trap clean_up EXIT
trap 'exit 130' INT TERM

build() {
    bin/caisson bundle build --profile "$LAB_TOP/profiles/minimal.yaml" --bundles "$bundles" --key release.key --sequence 9 \
        --out minimal.csn.tar >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }
}

# Every object that caisson keeps, with the version that any change of it moves on; status of workloads moves it as well, so
# generation stands for it where there is one.
versions() {
    k -n kube-system get configmap caisson-inventory -o 'jsonpath={.data.list}' |
        jq -r '.[] | [.kind + (if .apiVersion | contains("/") then "." + (.apiVersion | split("/") | reverse | join(".")) else "" end), .namespace // "-", .name] | @tsv' |
        while IFS=$'\t' read -r kind namespace name; do
            printf '%s %s ' "$kind" "$name"
            k -n "${namespace#-}" get "$kind" "$name" -o json | jq -r '[.metadata.uid, .metadata.generation // .metadata.resourceVersion] | @tsv'
        done | sort
}

# Objects whose version differs, or that only one side has.
moved() { diff "$work/versions.before" "$work/versions.after" | sed -nE 's/^[<>] ([^ ]+ [^ ]+) .*/\1/p' | sort -u | xargs; }

# changes LINE OBJECT: plan says this one line; apply moves this one object and starts nothing again.
changes() {
    local before code
    bin/caisson plan >"$work/plan.txt" 2>"$work/plan.log"
    code=$?
    [ "$code" = 2 ] || { echo "plan exits $code"; cat "$work/plan.log"; return 1; }
    diff <(printf '%s\n' "$1" "1 change") "$work/plan.txt" || return 1
    before=$(invocations)
    versions >"$work/versions.before"
    bin/caisson apply >"$work/objects.log" 2>&1 || { cat "$work/objects.log"; return 1; }
    versions >"$work/versions.after"
    [ "$before" = "$(invocations)" ] || { echo "a unit was started again"; return 1; }
    [ "$(moved)" = "$2" ] || { echo "changed: $(moved)"; return 1; }
}

changed_manifest() {
    sed -i 's/^        cache 30$/        cache 31/' "$bundles/coredns/coredns.yaml"
    build && changes "cluster: apply ConfigMap kube-system/coredns" "ConfigMap coredns" || return 1
    k -n kube-system get configmap coredns -o yaml | grep 'cache 31' >/dev/null
}

new_manifest() {
    cat >>"$bundles/kubernetes/rbac.yaml" <<'YAML'
---
apiVersion: v1
kind: ConfigMap
metadata: {name: lab-extra, namespace: kube-system}
data: {a: b}
YAML
    build && changes "cluster: apply ConfigMap kube-system/lab-extra" "ConfigMap lab-extra" || return 1
    [ "$(k -n kube-system get configmap lab-extra -o 'jsonpath={.data.a}')" = b ]
}

removed_manifest() {
    cp "$LAB_TOP/bundles/kubernetes/rbac.yaml" "$bundles/kubernetes/rbac.yaml"
    build && changes "cluster: prune ConfigMap lab-extra" "ConfigMap lab-extra" || return 1
    [ -z "$(k -n kube-system get configmap lab-extra --ignore-not-found -o name)" ]
}

own_release() {
    cp "$work/own.csn.tar" minimal.csn.tar
    changes "cluster: apply ConfigMap kube-system/coredns" "ConfigMap coredns"
}

rm -rf "$bundles" && cp -r "$LAB_TOP/bundles" "$bundles" || exit 1
check "a changed manifest: only that object is applied" changed_manifest
check "a new manifest: only that object is made" new_manifest
check "a removed manifest: only that object is pruned" removed_manifest
check "its own release: the change is undone" own_release
check "apply says 0 changes and starts nothing again" settled
check "the cluster is ready" within 60 status_ready
summary
