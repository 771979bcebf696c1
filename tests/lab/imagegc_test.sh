#!/usr/bin/env bash
# A machine whose disk becomes full: the kubelet deletes the images that nobody runs, but none of the release's, and pods that
# had to go come back without pulling anything. The add-on's images, unpinned when it was taken off, are what it deletes.
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck source=addon.sh
source "$(dirname "$0")/addon.sh"
command -v mkfs.xfs >/dev/null && losetup -f >/dev/null 2>&1 || exit 77
own_lab --control-planes 1 --workers 0 --disk-images
readonly node=cp-1

apply() { bin/caisson apply >"$work/apply.log" 2>&1 || { cat "$work/apply.log"; return 1; }; }

# The kubelet looks at the disk every ten seconds; without these two it would then wait for minutes, twice.
install() {
    override_kubelet imageMinimumGCAge 0s
    override_kubelet evictionPressureTransitionPeriod 10s
    addon_build && addon_name test.csn.tar && apply && bin/caisson kubeconfig --out kubeconfig >/dev/null 2>&1
}

take_addon_off() { addon_forget && apply; }

release_images() { bin/caisson bundle inspect minimal.csn.tar --trust release.pub -o json | jq -r '.components[].images[]?.name' | sort; }

# Images whose every layer is there, as the runtime says.
complete_images() {
    # shellcheck disable=SC2016  # the node's shell expands it
    on "$node" '$(echo /var/lib/caisson/tree/*/bin/ctr) --namespace k8s.io images check --quiet 2>/dev/null' | sort
}

# Unwritten blocks count as used: the disk is full at once, and no byte of it is written.
fill_disk() {
    # shellcheck disable=SC2016
    on "$node" 'read -r size free < <(df --output=size,avail -B1 / | tail -n 1); fallocate -l $((free - size / 12)) /filler; df -h /'
}
empty_disk() { on "$node" rm /filler; }

addon_has_pins() { addon_images | all_pinned "$node" "$1"; }
addon_is_gone() { [ -z "$(complete_images | comm -12 - <(addon_images))" ]; }
release_is_whole() { [ -z "$(release_images | comm -23 - <(complete_images))" ]; }
pins_stand() { release_images | all_pinned "$node" true; }

pods_run() {
    k get pods --all-namespaces -o json 2>/dev/null >"$work/pods.json" &&
        jq -e '[.items[] | select(.status.phase != "Failed")] | length > 0 and all(.[]; .status.conditions | any(.type == "Ready" and .status == "True"))' \
            "$work/pods.json" >/dev/null && k -n kube-system rollout status deployment/coredns --timeout=2s >/dev/null 2>&1
}

nothing_pulled() { [ -z "$(k get events --all-namespaces --field-selector reason=Pulling -o name)" ]; }

install || { echo "FAIL a machine with the add-on is not installed"; exit 1; }
check "the add-on's images are pinned" addon_has_pins true
check "the add-on is taken off" take_addon_off
check "its images stay, without their pins" addon_has_pins false
check "the disk becomes full" fill_disk
check "the kubelet deletes images that nobody runs" within 180 addon_is_gone
check "none of the release's is among them" release_is_whole
check "their pins stand" pins_stand
check "the disk has room again" empty_disk
check "all pods run again" within 300 pods_run
check "and nothing was pulled for that" nothing_pulled
check "the release is still whole" release_is_whole
check "apply says 0 changes and starts nothing again" settled
summary
