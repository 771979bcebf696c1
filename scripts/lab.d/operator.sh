# shellcheck shell=bash disable=SC2154,SC2153 # names set in common.sh
# What the operator gets in DIR: key, pinned host keys, cluster.yaml. Sourced by ../lab.

operator_key() {
    [[ ! -e $LAB_DIR/id_ed25519 ]] || return 0
    rm -f -- "$LAB_DIR/id_ed25519.pub"
    ssh-keygen -q -t ed25519 -N '' -C "operator@$LAB_NAME" -f "$LAB_DIR/id_ed25519"
}

# Replaces the lines of the lab's addresses and keeps all others.
operator_known_hosts() {
    local file=$LAB_DIR/known_hosts node kind key
    {
        [[ ! -e $file ]] || awk -v subnet="$LAB_SUBNET." 'index($1, subnet) != 1' "$file"
        for node in "${LAB_NODES[@]}"; do
            while read -r kind key _; do
                printf '%s %s %s\n' "$(node_address "$node")" "$kind" "$key"
            done <"$LAB_STATE/nodes/$node/host_keys"
        done
    } | write_file "$file" 0644
}

operator_cluster_yaml() {
    local file=$LAB_DIR/cluster.yaml
    if [[ -e $file && $2 != 1 ]]; then
        say "kept $file"
        return
    fi
    cluster_yaml "$1" | write_file "$file" 0644
    say "wrote $file"
}

cluster_yaml() {
    cat <<END
apiVersion: caisson.dev/v1
kind: Cluster
metadata: {name: $LAB_NAME}
spec:
  release: $(yaml_string "$1")
  trust: [release.pub]
  profile: minimal
  network: {pods: $LAB_PODS, services: $LAB_SERVICES, dns: {upstream: []}}
  hosts:
END
    local node role
    for node in "${LAB_NODES[@]}"; do
        role=worker
        [[ $node == w-* ]] || role=control-plane
        printf '    - name: %s\n      roles: [%s]\n' "$node" "$role"
        printf '      ssh: {address: %s, user: root, key: id_ed25519}\n' "$(node_address "$node")"
    done
    cluster_overrides
    [[ $LAB_CPS != 1 ]] || printf '  acknowledge: [single-control-plane]\n'
}

# A YAML single-quoted string.
yaml_string() {
    printf "'%s'" "${1//\'/\'\'}"
}

# What an operator of such machines would have to write, found by looking: nothing in the installer knows the lab.
cluster_overrides() {
    local -a kubelet=() containerd=() proxy=()
    if cgroup_is_v1; then
        kubelet+=('failCgroupV1: false' 'cgroupDriver: cgroupfs')
        containerd+=('systemdCgroup: false')
    fi
    if ! can_lower_oom_score; then
        kubelet+=('oomScoreAdj: 0')
        containerd+=('restrictOomScoreAdj: true' 'oomScore: 0')
        proxy+=('oomScoreAdj: 0')
    fi
    if ! conntrack_is_writable; then
        proxy+=('conntrackMaxPerCore: 0' 'conntrackMin: 0' 'conntrackTcpEstablishedTimeout: 0s'
            'conntrackTcpCloseWaitTimeout: 0s')
    fi
    # Machines share the host's disk: another's full disk must not make a kubelet delete its images.
    [[ $LAB_DISKS == 1 ]] || kubelet+=('imageGCHighThresholdPercent: 100' 'imageGCLowThresholdPercent: 99')
    ((${#kubelet[@]} + ${#containerd[@]} + ${#proxy[@]})) || return 0
    printf '  overrides:\n'
    yaml_map kubelet "${kubelet[@]}"
    yaml_map containerd "${containerd[@]}"
    yaml_map kube-proxy "${proxy[@]}"
}

yaml_map() {
    (($# > 1)) || return 0
    printf '    %s:\n' "$1"
    shift
    printf '      %s\n' "$@"
}

# CAP_SYS_RESOURCE, bit 24, in the bounding set that the machines get.
can_lower_oom_score() {
    local bounding
    bounding=$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)
    (((16#$bounding >> 24) & 1))
}

# Asked in the lab's namespace: outside the host's first network namespace the file is read-only even for root.
conntrack_is_writable() {
    in_net test -w /proc/sys/net/netfilter/nf_conntrack_max
}

# DIR belongs to who called sudo, so that the operator's own shell can use the key.
operator_owner() {
    [[ ${SUDO_UID-} =~ ^[0-9]+$ && ${SUDO_GID-} =~ ^[0-9]+$ ]] || return 0
    chown "$SUDO_UID:$SUDO_GID" -- "$LAB_DIR" "$LAB_DIR"/{id_ed25519,id_ed25519.pub,known_hosts,cluster.yaml}
}
