# shellcheck shell=bash disable=SC2154,SC2153 # names set in common.sh
# The lab's network. Sourced by ../lab.
#
#   host ---- csn-ID | up0 --(routed)-- br0 -- vb-cp-1, vb-w-1, ...
#             host   | network namespace caisson-ID of the lab
#
# The bridge and all rules live in the lab's own namespace, so the host's firewall is neither used nor changed.
# The host's end is not a port of the bridge but a routed link: between the two, ordinary connection tracking
# (which a bridge lacks on many kernels) lets through what the host opened and drops what a node opens.
# Nothing can leave for two reasons that do not depend on each other: the namespace has no route but those to the
# nodes and to the host's one address, and its rules drop and count everything else. The nodes' default route points
# at the namespace, because kube-proxy and CNI plug-ins need one to choose an interface.

# These must stay clear of the lab's addresses; they are the networks in the lab's cluster.yaml.
LAB_PODS=10.244.0.0/16
LAB_SERVICES=10.96.0.0/16

in_net() {
    nsenter --net="/run/netns/$LAB_NETNS" "$@"
}

net_exists() {
    [[ -e /run/netns/$LAB_NETNS ]] && in_net ip link show br0 >/dev/null 2>&1
}

# First 10.N.0/24 from 10.77 on which no route of the host overlaps.
net_free_subnet() {
    local n
    for ((n = 77; n < 240; n++)); do
        ((n != 96)) || continue
        if net_unused "$n"; then
            printf '10.%d.0\n' "$n"
            return
        fi
    done
    die "no free 10.N.0.0/24 on this host"
}

net_unused() {
    local want=$(((10 << 24) | ($1 << 16))) route address length mask value
    local -a octets
    while read -r route; do
        [[ $route =~ ^([0-9.]+)(/([0-9]+))?$ ]] || continue
        address=${BASH_REMATCH[1]} length=${BASH_REMATCH[3]:-32}
        IFS=. read -ra octets <<<"$address.0.0.0"
        value=$(((octets[0] << 24) | (octets[1] << 16) | (octets[2] << 8) | octets[3]))
        ((length > 24)) && length=24
        mask=$(((0xffffffff << (32 - length)) & 0xffffffff))
        (((value & mask) != (want & mask))) || return 1
    done < <(ip -4 route show table all | awk '{ print ($1 ~ /^[a-z]/ && $1 != "default") ? $2 : $1 }')
}

# Idempotent: whatever a crashed run left half-made is replaced, a network in use is left alone.
net_up() {
    [[ -e /run/netns/$LAB_NETNS ]] && in_net nft list table inet lab >/dev/null 2>&1 &&
        ip link show "$LAB_LINK" >/dev/null 2>&1 && return
    net_down
    say "network $LAB_SUBNET.0/24, host $LAB_SUBNET.1"
    ip netns add "$LAB_NETNS"
    in_net ip link set lo up
    # Without an address of its own a bridge takes the lowest of its ports', and changes it when machines come and go:
    # the others would send to the old one until their neighbour tables time out.
    in_net ip link add br0 address "02:${LAB_ID:0:2}:${LAB_ID:2:2}:${LAB_ID:4:2}:00:fe" type bridge forward_delay 0
    in_net ip addr add "$LAB_SUBNET.254/24" dev br0
    ip link add "$LAB_LINK" type veth peer name up0 netns "$LAB_NETNS"
    net_sysctls
    in_net ip link set br0 up
    in_net ip link set up0 up
    in_net ip route add "$LAB_SUBNET.1/32" dev up0
    ip addr add "$LAB_SUBNET.1/32" dev "$LAB_LINK"
    ip link set "$LAB_LINK" up
    ip route add "$LAB_SUBNET.0/24" via "$LAB_SUBNET.254" dev "$LAB_LINK" onlink src "$LAB_SUBNET.1"
    # Last: the table's presence says that the network is complete.
    net_rules | in_net nft -f -
}

net_sysctls() {
    printf 0 >"/proc/sys/net/ipv4/conf/$LAB_LINK/forwarding"
    [[ ! -e /proc/sys/net/ipv6/conf/$LAB_LINK ]] || printf 1 >"/proc/sys/net/ipv6/conf/$LAB_LINK/disable_ipv6"
    # proxy_arp: the host's address lies in the nodes' subnet but on another link. tcp_loose: a late packet of a
    # connection that is over must not look like a node that opens one. bridge-nf: frames between nodes are none of
    # the rules' business.
    # shellcheck disable=SC2016
    in_net bash -ec '
        set_to() { [[ ! -e /proc/sys/net/$1 ]] || printf %s "$2" >"/proc/sys/net/$1"; }
        set_to ipv4/ip_forward 1
        set_to ipv4/conf/br0/proxy_arp 1
        set_to ipv4/neigh/br0/proxy_delay 0
        set_to ipv4/conf/all/send_redirects 0
        set_to ipv4/conf/br0/send_redirects 0
        set_to netfilter/nf_conntrack_tcp_loose 0
        for family in ip ip6 arp; do set_to "bridge/bridge-nf-call-${family}tables" 0; done'
}

# `cluster` counts cluster-internal addresses that reached the default route (a service before kube-proxy knows it):
# dropped like the rest, but no attempt to reach the world.
net_rules() {
    cat <<END
table inet lab {
    counter egress { }
    counter cluster { }
    counter to_host { }
    counter leaked { }
    set wanted { type ipv4_addr . ipv4_addr; size 4096; flags dynamic; }
    chain arriving {
        type filter hook prerouting priority -300; policy accept;
        iifname != "br0" accept
        ip daddr $LAB_SUBNET.0/24 accept
        meta pkttype { broadcast, multicast } drop
        ip daddr { 224.0.0.0/4, 255.255.255.255 } drop
        ip6 daddr { fe80::/10, ff00::/8 } accept
        meta nfproto ipv4 update @wanted { ip saddr . ip daddr }
        ip daddr { $LAB_PODS, $LAB_SERVICES } counter name cluster drop
        counter name egress drop
    }
    chain crossing {
        type filter hook forward priority 0; policy drop;
        iifname "up0" oifname "br0" accept
        iifname "br0" oifname "up0" ct state established,related accept
        iifname "br0" oifname "up0" ct state new update @wanted { ip saddr . ip daddr } counter name to_host drop
    }
    chain leaving {
        type filter hook postrouting priority 300; policy accept;
        oifname "up0" ip daddr != $LAB_SUBNET.1 counter name leaked drop
        oifname "up0" meta nfproto ipv6 drop
    }
}
table bridge lab {
    set dropped { type ifname; }
    set parted { type ifname . ifname; }
    chain arriving {
        type filter hook prerouting priority 0; policy accept;
        iifname @dropped drop
    }
    chain crossing {
        type filter hook forward priority 0; policy accept;
        iifname . oifname @parted drop
    }
    chain leaving {
        type filter hook postrouting priority 0; policy accept;
        oifname @dropped drop
    }
}
END
}

net_down() {
    ip link del "$LAB_LINK" 2>/dev/null || true
    [[ ! -e /run/netns/$LAB_NETNS ]] || ip netns del "$LAB_NETNS"
}

net_drop() {
    local node
    for node in "$@"; do
        in_net nft add element bridge lab dropped "{ \"vb-$node\" }"
    done
}

net_part() {
    in_net nft add element bridge lab parted "{ \"vb-$1\" . \"vb-$2\", \"vb-$2\" . \"vb-$1\" }"
}

net_delay() {
    in_net tc qdisc replace dev "vb-$1" root netem delay "${2}ms" 2>/dev/null ||
        die "cannot delay $1: it is off, or this kernel has no sch_netem"
}

net_rate() {
    in_net tc qdisc replace dev "vb-$1" root tbf rate "${2}kbit" burst 32kb latency 400ms ||
        die "cannot limit $1: it is off, or this kernel has no sch_tbf"
}

net_clear() {
    local node
    in_net nft flush set bridge lab dropped
    in_net nft flush set bridge lab parted
    for node in "${LAB_NODES[@]}"; do
        in_net tc qdisc del dev "vb-$node" root 2>/dev/null || true
    done
}

net_counter() {
    in_net nft list counter inet lab "$1" | awk '$1 == "packets" { print $2 }'
}

net_egress() {
    local egress to_host leaked
    egress=$(net_counter egress) to_host=$(net_counter to_host) leaked=$(net_counter leaked)
    if [[ ${1-} == --all ]]; then
        printf 'outside %d\nhost %d\nleaked %d\ncluster-internal %d\n' \
            "$egress" "$to_host" "$leaked" "$(net_counter cluster)"
        in_net nft list set inet lab wanted | { grep -oE '[0-9.]{7,} \. [0-9.]{7,}' || true; } | sed 's/ \. / wanted /'
    else
        printf '%d\n' $((egress + to_host + leaked))
    fi
}
