# shellcheck shell=bash disable=SC2154 # names set in lib.sh
# The add-on of profile minimal-test on the cluster of CAISSON_CLUSTER. Sourced behind lib.sh, after use_cluster or own_lab.

# Builds test.csn.tar for the release as it is now. With a cold cache this builds e2e.test (minutes): scripts/test does
# that beforehand.
addon_build() {
    "$LAB_TOP/scripts/payloads" --profile minimal-test >"$work/payloads.log" 2>&1 || { cat "$work/payloads.log"; return 1; }
    bin/caisson bundle build --profile "$LAB_TOP/profiles/minimal-test.yaml" --bundles "$LAB_TOP/bundles" --key release.key \
        --requires minimal.csn.tar --sequence "$(sequence_of minimal.csn.tar)" --out test.csn.tar >"$work/addon.log" 2>&1 || { cat "$work/addon.log"; return 1; }
}

addon_images() { bin/caisson bundle inspect test.csn.tar --trust release.pub -o json | jq -r '.components[].images[]?.name' | sort; }

# The one line that an operator writes, and takes out again.
addon_name() { sed -i "/^  addons:/d; s/^  trust:/  addons: [$1]\n&/" cluster.yaml; }
addon_forget() { sed -i '/^  addons:/d' cluster.yaml; }

# Names of the images on host $1 whose pin is $2 (true or false).
images_pinned() {
    # shellcheck disable=SC2016  # the node's shell expands it
    on "$1" '$(echo /var/lib/caisson/tree/*/bin/crictl) --runtime-endpoint unix:///run/containerd/containerd.sock images -o json 2>/dev/null' |
        jq -r --argjson pinned "$2" '.images[] | select((.pinned // false) == $pinned) | .repoTags[]' | sort
}

# True when on host $1 every name of stdin is an image whose pin is $2.
all_pinned() { [ -z "$(comm -23 - <(images_pinned "$1" "$2"))" ]; }
