# shellcheck shell=bash disable=SC2154 # names set by ../bench and common.sh
# Part b, the floor: what any installer has to do, done by ordinary tools, everything at once. Sourced by ../bench.

part_floor() {
    say "b: the floor"
    lab renew
    each prepare_scp
    clock_start
    each floor_scp
    clock_stop floor_scp
    each generation_put
    each start_containerd
    clock_start
    each floor_import
    clock_stop floor_import
    each stop_containerd
    export KUBECONFIG=$DIR/administrator
    clock_start
    each floor_start
    floor_objects
    clock_stop floor_start
    put floor "$(jq '.floor_scp + .floor_import + .floor_start' "$RESULT")"
    put floor_cpu "$(jq '.floor_scp_cpu + .floor_import_cpu + .floor_start_cpu' "$RESULT")"
    lab cut "${NODES[@]}"
    each generation_keep
}

prepare_scp() {
    on "$1" mkdir -p /root/bytes
}

floor_scp() {
    local folder
    folder=$(bytes_of "$1")
    scp -q -F "$DIR/ssh_config" "$folder"/* "$BIN/caisson-node" "$1:/root/bytes/"
    on "$1" sync
}

# The tree of a package, by the path that the current generation's units have: the one with bin/PROGRAM.
tree_with() {
    local found
    found=$(cd "$(root_of "$1")" && ls -d var/lib/caisson/tree/*/bin/"$2")
    printf '/%s\n' "${found%/bin/*}"
}

floor_import() {
    on "$1" "$(tree_with "$1" ctr)/bin/ctr" --namespace k8s.io images import --label io.cri-containerd.pinned=pinned \
        /root/bytes/images.tar
}

start_containerd() {
    on "$1" 'mkdir -p /run/systemd/system && ln -sf /var/lib/caisson/current/units/containerd.service /run/systemd/system/ &&
        systemctl daemon-reload && systemctl start containerd'
}

stop_containerd() {
    on "$1" systemctl stop containerd
}

# Kernel settings, units, start: what is in the generation, by its own files.
floor_start() {
    local generation units
    generation=$(root_of "$1")/var/lib/caisson/current
    generation=$(root_of "$1")/var/lib/caisson/$(readlink "$generation")
    units=$(jq -r '[.units[] | select(.enabled).name] | join(" ")' "$generation/manifest.json")
    {
        jq -r '.modules[]? | "test -e \(.shows // "/sys/module/" + .name) || modprobe \(.name) || true"' \
            "$generation/manifest.json"
        jq -r '.sysctl | to_entries[]? | "sysctl -qw \(.key)=\"\(.value)\" || true"' "$generation/manifest.json"
        printf 'ln -sf /var/lib/caisson/current/units/* /run/systemd/system/\n'
        printf 'systemctl daemon-reload\nsystemctl start --no-block %s\n' "$units"
    } | on "$1" sh -s
}

floor_objects() {
    until_true 300 api_serves
    k apply --server-side -f "$DIR/objects.json" >>"$DIR/log/objects" 2>&1
    until_true 300 nodes_registered
    local -a planes=()
    mapfile -t planes < <(printf '%s\n' "${NODES[@]}" | grep '^cp-')
    k label nodes "${planes[@]}" node-role.kubernetes.io/control-plane= >>"$DIR/log/objects"
    k taint nodes "${planes[@]}" node-role.kubernetes.io/control-plane=:NoSchedule >>"$DIR/log/objects"
    cluster_wait
}
