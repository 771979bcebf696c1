#!/usr/bin/env bash
# The commands of bundles/PUBLISHING.md, "Getting it across the gap", as they stand there, with two small releases. Machines are
# missing: what they hold is a list made here, and plan is replaced by validate. The server is one on loopback, and ssh is not
# needed to reach it.
# usage: gap_test.sh CAISSON SOURCE-FOLDER
set -uo pipefail
caisson=$(readlink -f "$1") source=$(readlink -f "$2")
work=$(mktemp -d -t caisson-gap.XXXXXX)
readonly caisson source work
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf -- "$work"' EXIT
export HOME=$work/home XDG_CONFIG_HOME=$work/config CAISSON_CACHE=$work/cache NO_COLOR=1
unset SOURCE_DATE_EPOCH
mkdir -p "$HOME" "$work/bin" "$work/cache/blobs/sha256" "$work/cache/lock" "$work/bundles" "$work/site/stick"
cd "$work/site" || exit 1

fail() {
    echo "FAIL $1"
    cat "$work/log"
    exit 1
}

# release NAME SEQUENCE TEXT: a release of two packages, of which one has this text.
release() {
    local digest tool
    printf '%s' "$3" >"$work/tool"
    digest=$(sha256sum "$work/tool" | cut -c 1-64)
    cp "$work/tool" "$work/cache/blobs/sha256/$digest"
    for tool in stays moves; do
        local bytes=$digest
        [ $tool = moves ] || bytes=$big
        cat >"$work/bundles/$tool.yaml" <<Y
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: $tool, license: MIT, supplier: example, purl: "pkg:generic/$tool"}
versions: [{version: 1.0.0}]
packages: [{name: $tool, roles: [all], files: [{path: bin/$tool, from: $tool, mode: "0755"}]}]
Y
        printf '{"component":"%s","file":"%s","id":"%s/1.0.0/%s","kind":"file","purl":"pkg:generic/%s@1.0.0","sha256":"%s","size":%s,"version":"1.0.0","license":"MIT","platform":"linux/amd64","upstream":{"type":"none","ref":"x"},"urls":[]}\n' \
            $tool $tool $tool $tool $tool "$bytes" "$(stat -c %s "$work/cache/blobs/sha256/$bytes")"
    done | sort | paste -sd , | sed 's/.*/{"schema":1,"profile":"tiny","platform":"linux\/amd64","entries":[&]}/' >"$work/cache/lock/tiny.lock.json"
    "$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --out "$1" --sequence "$2"
}

{
    head -c 400000 /dev/urandom >"$work/big" && big=$(sha256sum "$work/big" | cut -c 1-64) && cp "$work/big" "$work/cache/blobs/sha256/$big"
    cat >"$work/tiny.yaml" <<'Y'
apiVersion: caisson.dev/v1
kind: Profile
metadata: {name: tiny}
spec: {version: 1.0.0, components: [moves, stays]}
Y
    cat >cluster.yaml <<'Y'
apiVersion: caisson.dev/v1
kind: Cluster
metadata: {name: plant}
spec:
  release: old.csn.tar
  trust: [release.pub]
  profile: tiny
  defaults: {ssh: {user: admin, key: id}}
  hosts:
    - {name: cp-1, roles: [control-plane], ssh: {address: 127.0.0.1}}
  acknowledge: [single-control-plane]
Y
    "$caisson" key generate release </dev/null && release old.csn.tar 1 old && release new.csn.tar 2 new && "$caisson" init
} >"$work/log" 2>&1 || fail "two small releases"

# What machines would answer that have all of old.csn.tar.
"$caisson" bundle inspect old.csn.tar -o json |
    jq -cS '{cluster: "plant", images: [], packages: [.components[].packages[] | {digest, name, role: ["control-plane", "worker"]}], schema: 1}' >"$work/list"
mkdir -p "$work/server/files" && ln new.csn.tar "$work/server/files/new.csn.tar"
for name in server client; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$work/server/$name.key" \
        -out "$work/server/$name.pem" >"$work/log" 2>&1 || fail "the server's certificates"
done
coproc files { exec python3 "$source/tests/http/files.py" "$work/server"; }
# shellcheck disable=SC2154 # set by coproc
server=$files_PID
read -r port _ <&"${files[0]}" || fail "the server starts"
printf '#!/bin/sh\nshift && exec "$@"\n' >"$work/bin/ssh"
cat >"$work/bin/caisson" <<SH
#!/bin/sh
case "\$1 \$2" in
"bundle held") cat "$work/list" ;;
"bundle ingest") u=\$(echo "\$3" | sed 's|^https://files.example/|http://127.0.0.1:$port/ok/|') && shift 3 && exec "$caisson" bundle ingest "\$u" "\$@" ;;
"plan ") exec "$caisson" validate ;;
*) exec "$caisson" "\$@" ;;
esac
SH
chmod 755 "$work/bin/caisson" "$work/bin/ssh"

sed -n '/^## Getting it across the gap/,/^## /{/^    /p}' "$source/bundles/PUBLISHING.md" >"$work/commands"
[ "$(grep -c . "$work/commands")" -ge 10 ] || fail "the page has no commands"
while IFS= read -r line; do
    PATH=$work/bin:$PATH sh -euc "$line" >"$work/log" 2>&1 </dev/null || fail "$line"
    case $line in
    *sed\ -i*) "$caisson" validate >"$work/log" 2>&1 || fail "validate behind:$line" ;;
    esac
    echo "ok  $line"
done <"$work/commands"

: >"$work/log"
for file in joined full; do
    cmp new.csn.tar $file.csn.tar || fail "$file.csn.tar is what was published"
done
[ "$(stat -c %s small.csn.tar)" -lt $(($(stat -c %s new.csn.tar) - 400000)) ] || fail "the delta is smaller by what the machines hold"
echo "all passed"
