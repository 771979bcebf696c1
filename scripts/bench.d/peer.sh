# shellcheck shell=bash disable=SC2154 # names set by ../bench and common.sh
# Part c, the peer: kubeadm's own way (stacked etcd, static pods, certificates by RSA), its commands one after another.
# Before its clock starts, programs are in place, images imported, containerd runs. Sourced by ../bench.

part_peer() {
    say "c: kubeadm"
    lab renew
    each generation_put
    peer_images
    each peer_prepare
    PEER_API=$(address cp-1):6443
    peer_config >"$(root_of cp-1)/root/kubeadm.yaml"
    clock_start
    peer_run
    cluster_wait
    clock_stop peer
    lab cut "${NODES[@]}"
    each generation_keep
}

peer_images() {
    [[ ! -e $DIR/peer.tar ]] || return 0
    local program
    local -a programs=("etcd=$(payload etcd etcd)")
    for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do
        programs+=("$program=$(payload kubernetes "$program")")
    done
    kubeadm config images list --kubernetes-version "v$(kubernetes_version)" >"$DIR/peer-images"
    python3 -B "$BENCH_LIB/images.py" kubeadm "$DIR/peer-images" "${programs[@]}" >"$DIR/peer.tar"
}

kubeadm() {
    install -m 755 "$(payload kubeadm kubeadm)" "$DIR/kubeadm"
    "$DIR/kubeadm" "$@" 2>>"$DIR/log/peer"
}

kubernetes_version() {
    sed -n 's/.*{name: kubernetes, version: \([0-9.]*\)}.*/\1/p' "$TOP/profiles/minimal.yaml"
}

peer_prepare() {
    local root tree program
    root=$(root_of "$1")
    install -m 755 "$(payload kubeadm kubeadm)" "$root/usr/bin/kubeadm"
    for program in kubelet crictl runc; do
        ln -sf "$(tree_with "$1" "$program")/bin/$program" "$root/usr/bin/$program"
    done
    printf 'nameserver 192.0.2.1\n' >"$root/etc/resolv.conf" # its CoreDNS does not start without any
    mkdir -p "$root/opt/cni/bin" "$root/etc/kubernetes/manifests"
    tree=$(tree_with "$1" bridge)
    cp -- "$root$tree"/bin/* "$root/opt/cni/bin/"
    peer_kubelet_unit "$1" >"$root/etc/systemd/system/kubelet.service"
    cp -- "$DIR/images.tar" "$DIR/peer.tar" "$root/root/"
    # kubeadm's own name for the sandbox image is the one that containerd is set to; kernel settings as in part b
    jq -r '.sysctl | to_entries[]? | "sysctl -qw \(.key)=\"\(.value)\" || true"' \
        "$root/var/lib/caisson/$(readlink "$root/var/lib/caisson/current")/manifest.json" | on "$1" sh -s
    start_containerd "$1"
    for program in images peer; do
        on "$1" "$(tree_with "$1" ctr)/bin/ctr" --namespace k8s.io images import "/root/$program.tar"
    done
    on "$1" systemctl enable kubelet
}

peer_kubelet_unit() {
    cat <<END
[Unit]
After=containerd.service
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/bin/kubelet \$KUBELET_KUBECONFIG_ARGS --config=/var/lib/kubelet/config.yaml \$KUBELET_KUBEADM_ARGS --node-ip=$(address "$1")
Restart=always
RestartSec=2
[Install]
WantedBy=multi-user.target
END
}

# What odd machines need is what part a's kubelet and kube-proxy were told; JSON is YAML.
peer_config() {
    local files
    files=$(root_of cp-1)/var/lib/caisson/$(readlink "$(root_of cp-1)/var/lib/caisson/current")/files
    cat <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: $(address cp-1)}
nodeRegistration: {name: cp-1, criSocket: "unix:///run/containerd/containerd.sock", imagePullPolicy: IfNotPresent}
certificateKey: $PEER_KEY
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$(kubernetes_version)
controlPlaneEndpoint: $PEER_API
networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
---
END
    jq '{apiVersion, kind, cgroupDriver, failCgroupV1, oomScoreAdj, failSwapOn, imageGCHighThresholdPercent,
        imageGCLowThresholdPercent} | map_values(select(. != null))' "$files/kubelet/config.json"
    printf -- '---\n'
    jq '{apiVersion, kind, mode, oomScoreAdj, conntrack} | map_values(select(. != null))' "$files/kube-proxy/config.json"
}

PEER_KEY=$(printf '0123456789abcdef%.0s' 1 2 3 4)

peer_run() {
    local join node
    on cp-1 kubeadm init --config /root/kubeadm.yaml --upload-certs --ignore-preflight-errors=all >"$DIR/log/peer-init" 2>&1 ||
        die "kubeadm init failed: $(tail -n 5 "$DIR/log/peer-init")"
    cp -- "$(root_of cp-1)/etc/kubernetes/admin.conf" "$DIR/peer.conf"
    export KUBECONFIG=$DIR/peer.conf
    k apply --server-side -f "$DIR/peer-objects.json" >>"$DIR/log/objects" 2>&1
    join=$(on cp-1 kubeadm token create --print-join-command 2>>"$DIR/log/peer")
    for node in "${NODES[@]}"; do
        [[ $node != cp-1 ]] || continue
        # shellcheck disable=SC2086 # a command and its arguments
        peer_join "$node" $join >"$DIR/log/peer-join-$node" 2>&1 ||
            die "kubeadm join failed on $node: $(tail -n 5 "$DIR/log/peer-join-$node")"
    done
}

peer_join() {
    local node=$1
    local -a more=()
    shift
    ! is_control_plane "$node" ||
        more=(--control-plane --certificate-key "$PEER_KEY" --apiserver-advertise-address "$(address "$node")")
    on "$node" "$@" "${more[@]}" --node-name "$node" --ignore-preflight-errors=all
}
