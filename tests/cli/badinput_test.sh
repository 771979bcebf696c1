#!/usr/bin/env bash
# Bad input, and what it gets: exit code, place, words, way out. The real caisson; no machine but listeners on loopback.
# usage: badinput_test.sh CAISSON SOURCE-FOLDER
# shellcheck disable=SC2016 # what the shell must not expand is what is tried here
set -uo pipefail
caisson=$(readlink -f "$1") source=$2
work=$(mktemp -d -t caisson-badinput.XXXXXX)
readonly caisson source work
pids=()
finish() {
    local pid
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
    rm -rf -- "$work"
}
trap finish EXIT
unset SSH_AUTH_SOCK SOURCE_DATE_EPOCH CAISSON_FACTS_OVERRIDE
export HOME=$work/home XDG_CONFIG_HOME=$work/config CAISSON_CACHE=$work/cache NO_COLOR=1
mkdir -p "$HOME" "$work/c"
cd "$work/c" || exit 1
bad=0 good=0

pass() { good=$((good + 1)) && echo "ok   $1"; }
fail() {
    bad=$((bad + 1))
    echo "FAIL $1: $2"
    sed 's/^/     /' "$work/err" "$work/out"
}

# check WHAT COMMAND...
check() {
    if "${@:2}"; then pass "$1"; else fail "$1" "is not so"; fi
}
# within COMMAND...: true as soon as it succeeds, false when it has not for a minute.
within() {
    for _ in $(seq 600); do
        "$@" 2>/dev/null && return
        sleep 0.1
    done
    return 1
}
says() { grep -F -- "$1" "$work/out" "$work/err" >/dev/null; }

# run COMMAND...: its status in $status, its output in $work/out and $work/err.
run() {
    timeout 120 "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# expect WHAT STATUS TEXT FIX COMMAND...: TEXT stands in stderr, FIX in its line "fix:" (both as they are).
expect() {
    local what=$1 want=$2 text=$3 fix=$4
    shift 4
    run "$@"
    if [ "$status" != "$want" ]; then
        fail "$what" "exit status $status, not $want"
    elif ! grep -qF -- "$text" "$work/err"; then
        fail "$what" "does not say: $text"
    elif ! grep -F -- '  fix: ' "$work/err" | grep -cF -- "$fix" >/dev/null; then
        fail "$what" "does not name the way out: $fix"
    else
        pass "$what"
    fi
}

# ---- a host that counts who comes ----

cat >"$work/listen.py" <<'PY'
import socket, sys
s = socket.create_server(("127.0.0.1", 0), backlog=64)
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    print("came", flush=True)
    c.close()
PY
python3 "$work/listen.py" >"$work/came" &
pids+=($!)
within test -s "$work/came"
port=$(head -n 1 "$work/came")
came() { grep -c came "$work/came"; }

# expect_quiet: the same as expect, and nobody came to the host.
expect_quiet() {
    local before
    before=$(came)
    expect "$@"
    [ "$before" = "$(came)" ] && return
    fail "$1" "a host was contacted"
}

# ---- a small bundle of our own ----

small_bundle() {
    local blob=$work/cache/blobs/sha256 digest
    mkdir -p "$blob" "$work/cache/lock" "$work/bundles"
    head -c 300000 /dev/zero | tr '\0' x >"$work/tool"
    digest=$(sha256sum "$work/tool" | cut -c 1-64)
    cp "$work/tool" "$blob/$digest"
    cat >"$work/tiny.yaml" <<'Y'
apiVersion: caisson.dev/v1
kind: Profile
metadata: {name: tiny}
spec: {version: 1.0.0, components: [{name: tool, version: 1.2.3}]}
Y
    cat >"$work/bundles/tool.yaml" <<'Y'
apiVersion: caisson.dev/v1
kind: Component
metadata: {name: tool, license: MIT, supplier: example, purl: "pkg:generic/tool"}
versions: [{version: 1.2.3}]
packages: [{name: tool, roles: [all], files: [{path: bin/tool, from: tool, mode: "0755"}]}]
settings: {tool: {level: {type: int, default: 3}, word: {type: string, default: plain}}}
Y
    cat >"$work/cache/lock/tiny.lock.json" <<J
{"schema":1,"profile":"tiny","platform":"linux/amd64","entries":[{"component":"tool","file":"tool","id":"tool/1.2.3/tool",
"kind":"file","purl":"pkg:generic/tool@1.2.3","sha256":"$digest","size":300000,"version":"1.2.3","license":"MIT",
"platform":"linux/amd64","upstream":{"type":"none","ref":"x"},"urls":[]}]}
J
    "$caisson" key generate release && "$caisson" key generate other &&
        "$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --out good.tar
}
if ! small_bundle >"$work/out" 2>"$work/err"; then
    fail "a small bundle" "could not be built"
    exit 1
fi

cat >"$work/good.yaml" <<Y
apiVersion: caisson.dev/v1
kind: Cluster
metadata: {name: plant}
spec:
  release: ./good.tar
  trust: [release.pub]
  profile: tiny
  network: {pods: 10.244.0.0/16, services: 10.96.0.0/16, dns: {upstream: [10.0.0.53]}}
  defaults: {ssh: {user: admin, port: $port, key: id}}
  hosts:
    - {name: cp-1, roles: [control-plane], ssh: {address: 127.0.0.1}}
  overrides: {tool: {level: 4, word: fine}}
  acknowledge: [single-control-plane]
  addons: []
  product: caisson
  channel: stable
Y

# spec [SED-SCRIPT]...: cluster.yaml is the good one, edited.
spec() {
    local edits=() edit
    for edit; do edits+=(-e "$edit"); done
    if [ $# = 0 ]; then cp "$work/good.yaml" cluster.yaml; else sed "${edits[@]}" "$work/good.yaml" >cluster.yaml; fi
}
# wrong WHAT PLACE TEXT FIX SED-SCRIPT...: validate refuses the edited file at PLACE, and plan does before it goes anywhere.
wrong() {
    local what=$1 place=$2 text=$3 fix=$4
    shift 4
    spec "$@"
    expect_quiet "$what" 64 "cluster.yaml:$place: $text" "$fix" "$caisson" validate --no-bundle
    expect_quiet "$what, and plan" 64 "cluster.yaml:$place: $text" "$fix" "$caisson" plan
}
# second NAME ROLE ADDRESS: the edit that adds a second host, as line 12.
second() { printf '11a\\    - {name: %s, roles: [%s], ssh: {address: %s}}' "$@"; }

# ---- it works when nothing is wrong ----

spec
"$caisson" init >"$work/out" 2>"$work/err" || fail "init" "exit status $?"
run "$caisson" validate
check "a good file and bundle are valid" test "$status" = 0
before=$(came)
expect "plan goes to the host" 3 "cp-1" "is the machine on" "$caisson" plan
check "the listener sees who comes" test "$(came)" != "$before"

# ---- cluster.yaml ----

wrong "unknown key" 6:3 'unknown key "trsut"' 'did you mean "trust"?' 's/^  trust:/  trsut:/'
wrong "unknown key that resembles none" 6:3 'unknown key "zzzzzzzz"' 'known here: release' 's/^  trust:/  zzzzzzzz:/'
wrong "duplicate key" 8:3 'duplicate key "profile" (first on line 7)' 'keep one' '7a\  profile: tiny'
wrong "wrong type" 6:10 'trust must be a list, not text' 'write [one, another]' 's/\[release.pub\]/release.pub/'
wrong "wrong type of a number" 9:39 'port must be a whole number, not text' 'without quotes' "s/port: $port/port: \"$port\"/"
wrong "missing key" 5:3 '"profile" is missing' 'add `profile:`' '/^  profile/d'
wrong "no YAML" 4:5 "did not find expected" 'YAML' 's/^metadata.*/metadata: {name: plant/'
wrong "duplicate host name" 12:14 'duplicate host name "cp-1" (first on line 11)' 'a name of its own' "$(second cp-1 worker 127.0.0.2)"
wrong "duplicate address" 12:52 'duplicate address 127.0.0.1 (host "cp-1" has it)' 'one of the two' "$(second cp-2 worker 127.0.0.1)"
wrong "pod and service networks overlap" 8:19 'the pod network and the service network overlap' 'share no address' 's/10.96.0.0/10.244.0.0/'
wrong "host in the pod network" 11:60 'address: 127.0.0.1 lies in the pod network' 'choose other blocks' 's/10.244.0.0/127.0.0.0/; s/{address/ {address/'
wrong "host in the service network" 11:59 'address: 127.0.0.1 lies in the service network' 'choose other blocks' 's/10.96.0.0/127.0.0.0/'
wrong "a pod network that is too small" 8:19 'pods: a /25 block has room for 0 nodes' 'use a /24 or larger' 's,10.244.0.0/16,10.244.0.0/25,'
wrong "no network" 8:19 'pods: "10.244.0.0" is no IPv4 block' '10.244.0.0/16' 's,10.244.0.0/16,10.244.0.0,'
wrong "a host's name that is not DNS-1123" 11:14 'name: not a DNS-1123 name' 'lower-case letters' 's/cp-1/CP_1/'
wrong "a cluster's name that is not DNS-1123" 3:18 'name: not a DNS-1123 name' 'lower-case letters' 's/plant/my plant/'
wrong "a profile's name that is not DNS-1123" 7:12 'profile: not a DNS-1123 name' 'lower-case letters' 's,tiny,../tiny,'
wrong "a host's address that is a name" 11:59 'address: "cp-1.example" is no IPv4 address' 'names are not looked up' 's/127.0.0.1/cp-1.example/'
wrong "an unknown role" 11:28 'unknown role "control-plan"' 'did you mean "control-plane"?' 's/control-plane\]/control-plan]/'
wrong "one control-plane node without its acknowledgement" 11:5 'one control-plane node: the cluster stops when this machine stops' 'acknowledge: [single-control-plane]' '/acknowledge/d'
wrong "an acknowledgement of nothing" 13:17 'no warning is called "single"' 'single-control-plane' 's/single-control-plane/single/'

spec "$(second cp-2 control-plane 127.0.0.2)" 's/acknowledge: .*/acknowledge: []/'
run "$caisson" validate
if [ "$status" = 0 ] && [ "$(cat "$work/out" "$work/err" | grep -cF 'even-control-plane: 2 control-plane nodes survive the loss of 0, as 1 would')" = 1 ]; then
    pass "an even number of control-plane nodes is warned of once, with the reason"
else
    fail "an even number of control-plane nodes is warned of once, with the reason" "exit status $status"
fi

rm cluster.yaml
expect "no cluster.yaml" 64 "cluster.yaml: No such file" 'caisson init' "$caisson" plan
: >cluster.yaml
expect "an empty cluster.yaml" 64 "cluster.yaml: empty" 'caisson init' "$caisson" plan
printf '\n\n# nothing\n' >cluster.yaml
expect "a cluster.yaml of comments" 64 "cluster.yaml: empty" 'YAML' "$caisson" plan
head -c 20000000 /dev/zero | tr '\0' '#' >cluster.yaml
expect "a huge cluster.yaml" 64 "cluster.yaml" "-c FILE" "$caisson" plan
head -c 100000 "$caisson" >cluster.yaml
expect "a binary cluster.yaml" 64 "cluster.yaml:1:" 'YAML' "$caisson" plan
rm cluster.yaml && mkdir cluster.yaml
expect "a folder called cluster.yaml" 64 "cluster.yaml" '-c FILE' "$caisson" plan
rmdir cluster.yaml

# ---- the bundle: refused before any host is contacted ----

# refused WHAT STATUS TEXT FIX: by every verb that reads the bundle.
refused() {
    local verb
    for verb in validate preflight plan apply status; do
        expect_quiet "$1: $verb" "$2" "$3" "$4" "$caisson" "$verb"
    done
}
spec 's/good.tar/none.tar/'
refused "missing bundle" 64 "none.tar: No such file" "is the path right?"
spec 's/good.tar/bad.tar/'
size=$(stat -c %s good.tar)
for at in 0 200 600 3000 $((size / 2)) $((size * 3 / 4)) $((size - 1500)) $((size - 1)); do
    cp good.tar bad.tar
    python3 -c 'import sys; f = open("bad.tar", "r+b"); f.seek(int(sys.argv[1])); b = f.read(1)[0]; f.seek(-1, 1); f.write(bytes([b ^ 1]))' "$at"
    refused "a flipped byte at $at of $size" 4 "bad.tar: " ""
    expect "a flipped byte at $at: bundle verify" 4 "bad.tar: " "" "$caisson" bundle verify bad.tar --trust release.pub
done
head -c $((size / 2)) good.tar >bad.tar
refused "half a bundle" 4 "E_TRUNCATED" "get it again"
run "$caisson" -o json bundle verify bad.tar --trust release.pub
check "the refusal's word is a field of its JSON" says '"code":"E_TRUNCATED"'
: >bad.tar
refused "an empty bundle" 4 "bad.tar" ""
cp "$caisson" bad.tar
refused "a file that is no bundle" 4 "E_FORMAT" ""
python3 - <<'PY'
data = open("good.tar", "rb").read()
out, at = b"", 0
while data[at]:
    name = data[at:at + 100].rstrip(b"\0")
    size = 512 + (int(data[at + 124:at + 135], 8) + 511) // 512 * 512
    if not name.startswith(b"caisson/sig/"):
        out += data[at:at + size]
    at += size
open("bad.tar", "wb").write(out + bytes(1024))
PY
refused "an unsigned bundle" 4 "E_SIG_NONE" ""
spec 's/good.tar/good.tar.parts.json/'
refused "a missing list of parts" 64 "good.tar.parts.json: No such file" "is the path right?"
third=$((size / 3 + 1))
run "$caisson" bundle split good.tar --size $third
check "a bundle is cut into three" test "$status-$(echo good.tar.00?)" = "0-good.tar.000 good.tar.001 good.tar.002"
run "$caisson" validate
check "its parts are a bundle" test "$status" = 0
mv good.tar.001 away
refused "a missing part" 4 "E_PART: part good.tar.001 is missing" "into one folder"
mv away good.tar.001 && cp good.tar.002 good.tar.003
refused "a part too many" 4 "E_PART: part good.tar.003 is one more" "delete it"
rm good.tar.003 && mv good.tar.000 away && mv good.tar.001 good.tar.000 && mv away good.tar.001
refused "swapped parts" 4 "E_PART: part good.tar.000 has the bytes of part good.tar.001" "as it was when it was made"
expect "swapped parts: bundle verify" 4 "E_PART" "as it was" "$caisson" bundle verify good.tar.parts.json --trust release.pub
mv good.tar.000 away && mv good.tar.001 good.tar.000 && head -c $((third - 1)) away >good.tar.001
refused "a cut part" 4 "E_PART: part good.tar.001 has $((third - 1)) bytes, the list says $third" "copy that part again"
mv away good.tar.001 && sed -i 's/ *$/ /' good.tar.parts.json
refused "a list with a blank" 4 "E_PART: not the list of a bundle's parts: wrong at byte" "copy the list again"
expect "a part in place of the list" 64 "good.tar.000: one part of a bundle" "good.tar.parts.json" "$caisson" bundle verify good.tar.000 --trust release.pub
expect "bundle split of what is no bundle" 4 "E_FORMAT" "" "$caisson" bundle split "$caisson"
expect "bundle split into a folder that is not there" 64 "folder none: No such file" "make it first" "$caisson" bundle split good.tar --out none
expect "bundle split into too many parts" 64 "at most 256" "--size" "$caisson" bundle split good.tar --size $((size / 300))
rm good.tar.*
cp "$work/tiny.yaml" "$work/newer.yaml" && sed -i 's/1.0.0/1.0.1/' "$work/newer.yaml"
run "$caisson" bundle build --profile "$work/newer.yaml" --bundles "$work/bundles" --key release.key --out newer.tar --sequence 2
run "$caisson" bundle delta newer.tar --base good.tar --out delta.tar --trust release.pub
check "a delta is made" test "$status" = 0
spec 's/good.tar/delta.tar/'
refused "a delta without definitions" 4 "component tool: $work/c/delta.tar: E_MISSING: the delta was made without sha256:" "caisson bundle join $work/c/delta.tar --base"
expect_quiet "a delta without definitions: bundle held" 4 "E_MISSING" "caisson bundle join" "$caisson" bundle held
for verb in inspect list; do
    expect "a delta in place of a bundle: bundle $verb" 4 "E_FORMAT: a delta bundle" "caisson bundle join" "$caisson" bundle $verb delta.tar
done
run "$caisson" bundle verify delta.tar
check "bundle verify says what a delta is" test "$status-$(grep -c 'a delta without' "$work/out")" = 0-1
expect "bundle join without the base" 4 "delta.tar: E_MISSING: no base has sha256:" "--base FILE" "$caisson" bundle join delta.tar --base delta.tar --out full.tar
expect "bundle join of a full bundle" 64 "good.tar: a full bundle already" "as it is" "$caisson" bundle join good.tar --base good.tar --out full.tar
expect "bundle join into a folder that is not there" 64 "none/full.tar.new: No such file" "folder" "$caisson" bundle join delta.tar --base good.tar --out none/full.tar
expect "bundle join with a missing base" 64 "none.tar: No such file" "right?" "$caisson" bundle join delta.tar --base none.tar --out full.tar
expect "bundle delta, and whose key" 64 "whose key must have signed c/newer.tar?" "--trust" env -C "$work" "$caisson" bundle delta c/newer.tar --base good.tar --out full.tar
check "nothing was made of that" test ! -e full.tar
run "$caisson" bundle join delta.tar --base good.tar --out full.tar
check "bundle join makes the bundle again" cmp newer.tar full.tar

# ---- lists of what a cluster holds ----

list='{"cluster":"plant","images":[],"packages":[],"schema":1}'
# wrong_list WHAT TEXT LIST: refused by bundle delta.
wrong_list() {
    printf '%s' "$3" >held.json
    expect "$1" 4 "--base: $2" "caisson bundle held >FILE" "$caisson" bundle delta newer.tar --base held.json --out x.tar --trust release.pub
}
wrong_list "half a list of what is held" "E_JSON: held.json" "${list%1\}}"
wrong_list "a list with a blank" "E_JSON: held.json is not in canonical form" "{ ${list#\{}"
wrong_list "a list of another schema" "held.json: E_SCHEMA: schema 2 is not known" "${list/%1\}/2\}}"
wrong_list "a list with a key more" 'held.json: E_SCHEMA: unknown key "hosts"' "${list/,\"images\"/,\"hosts\":[],\"images\"}"
wrong_list "a list with a digest that is none" "held.json: E_SCHEMA: digest is not" "${list/\"packages\":[]/\"packages\":[{\"digest\":\"sha256:0\",\"name\":\"tool\",\"role\":[]\}]}"
truncate -s 17000000 held.json
expect "a huge list" 4 "held.json: E_LIMIT" "caisson bundle held >FILE" "$caisson" bundle delta newer.tar --base held.json --out x.tar --trust release.pub
: >held.json
expect "an empty list" 4 "held.json" "" "$caisson" bundle delta newer.tar --base held.json --out x.tar --trust release.pub
check "nothing was made of those lists" test -z "$(ls x.tar* 2>/dev/null)"
echo "$list" >held.json
expect "bundle join with a list" 64 "held.json: a list has no bytes to join" "the bundle that the cluster was installed from" "$caisson" bundle join delta.tar --base held.json --out x.tar --trust release.pub
run "$caisson" bundle delta newer.tar --base held.json --out delta.tar --trust release.pub
check "a delta is made by a list" test "$status" = 0
run "$caisson" validate
check "a delta that has what a planner needs is valid" test "$status" = 0
expect "bundle held, and a host that does not answer" 3 "cp-1" "is the machine on" "$caisson" bundle held
check "bundle held prints no list then" test ! -s "$work/out"
rm newer.tar delta.tar full.tar held.json
spec 's/release.pub/other.pub/'
refused "a bundle signed by another key" 4 "E_ROOT_PIN" "comparing their fingerprints"

# ---- locks ----

build=("$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --out bad.tar)
# bad_lock WHAT TEXT FIX COMMAND...: a lock out of the good one by such a filter is refused by all that read it.
bad_lock() {
    "${@:4}" <"$work/cache/lock/tiny.lock.json" >bad.lock.json
    rm -f bad.tar
    cp bad.lock.json bad.lock.copy
    expect "$1" 4 "E_LOCK: bad.lock.json$2" "$3" "${build[@]}" --key release.key --lock bad.lock.json
    expect "$1: bundle lock" 4 "E_LOCK: bad.lock.json$2" "$3" "$caisson" bundle lock --profile "$work/tiny.yaml" --bundles "$work/bundles" --out bad.lock.json
    check "$1: nothing was made" test ! -e bad.tar -a ! -e bad.tar.new
    check "$1: the lock is as it was" cmp bad.lock.json bad.lock.copy
}
bad_lock "a lock without a size" ': entry 0 (tool/1.2.3/tool): "size" is missing' 'size' sed 's/"size":300000,//'
bad_lock "a lock with a size of 0" ': entry 0 (tool/1.2.3/tool): size 0' 'bundle lock' sed 's/"size":300000/"size":0/'
bad_lock "a lock with half a digest" ': entry 0 (tool/1.2.3/tool): sha256' 'bundle lock' sed 's/"sha256":"[0-9a-f]\{32\}/"sha256":"/'
bad_lock "a lock with an http address" ': entry 0 (tool/1.2.3/tool): address "http://h/t" must begin with https://' 'bundle lock' sed 's,"urls":\[\],"urls":["http://h/t"],'
bad_lock "a lock with an unknown key" ': entry 0 (tool/1.2.3/tool): unknown key "sha25"' 'did you mean "sha256"?' sed 's/"urls":\[\]/"sha25":1,"urls":[]/'
bad_lock "a lock with an unknown kind" ': entry 0 (tool/1.2.3/tool): kind "http"' 'bundle lock' sed 's/"kind":"file"/"kind":"http"/'
bad_lock "a lock with unknown evidence" ': entry 0 (tool/1.2.3/tool): upstream.type "magic"' 'bundle lock' sed 's/"type":"none"/"type":"magic"/'
bad_lock "a lock of the future" ': schema 2; this caisson knows 1' 'bundle lock' sed 's/"schema":1/"schema":2/'
bad_lock "a lock that is cut off" ':2:' 'bundle lock' sed '2s/..$//; 3d'
bad_lock "an entry twice" ': entry 1 (tool/1.2.3/tool): the id is there twice' 'bundle lock' jq -c '.entries += .entries'
bad_lock "a lock for another profile" ' is for profile other, not tiny' 'bundle lock' sed 's/"profile":"tiny"/"profile":"other"/'
run "${build[@]}" --key release.key --lock bad.lock.json -o json
check "E_LOCK in JSON" sh -c "grep -q '\"text\":\"E_LOCK: ' '$work/err' && [ $status = 4 ]"
expect "no lock" 64 "lock: open none.json: No such file" "caisson bundle lock makes it" "${build[@]}" --key release.key --lock none.json
head -c 300000 /dev/zero | tr '\0' y >"$work/cache/other"
blob=$(echo "$work"/cache/blobs/sha256/*) && mv "$blob" "$work/cache/good" && mv "$work/cache/other" "$blob"
rm -r "$work/cache/packages"
expect "other bytes than the lock says" 4 "E_DIGEST" "fetch" "${build[@]}" --key release.key
mv "$work/cache/good" "$blob"
rm -f bad.lock.json bad.lock.copy

# ---- bundle lock ----

lock=("$caisson" bundle lock --profile "$work/tiny.yaml" --bundles "$work/bundles")
run "${lock[@]}"
check "bundle lock leaves what is locked" test "$status-$(grep -c '0 new, 0 changed, 0 gone, 1 as before' "$work/out")" = 0-1
expect_quiet "nobody says where a file comes from" 64 "bundles/tool.yaml:5:" "upstream" "${lock[@]}" --out new.json
expect_quiet "a mirror that is none" 64 "--mirror x: not FROM=TO" "--mirror https://" "${lock[@]}" --mirror x
expect_quiet "logins that are not there" 64 "--auth none.json: No such file" "auths" "${lock[@]}" --auth none.json
expect_quiet "a profile that is not there" 64 "profiles/none.yaml" "--profile NAME" "$caisson" bundle lock --profile none
check "nothing was made of that" test ! -e new.json

echo sesame >phrase && chmod 600 phrase
: >empty.json
run "$caisson" key generate locked --passphrase-file phrase
expect "a public key to sign with" 64 "key release.pub is the public half" "NAME.key" "${build[@]}" --key release.pub
check "its mode is not the fault" test "$(stat -c %a release.pub)" = 644
mkdir taken
expect "a folder in the bundle's place" 64 "write taken: there is something that is no file" "another name" "${build[@]}" --key release.key --out taken
ln -s good.tar linked
expect "a link in the bundle's place" 64 "write linked: there is" "another name" "${build[@]}" --key release.key --out linked
expect "a version that no reader takes" 64 "E_SCHEMA: release.json:" "no release may" "${build[@]}" --key release.key --version "a b"
expect "no folder of definitions" 64 "component: open none/tool.yaml: No such file" "--bundles DIR" "${build[@]}" --key release.key --bundles none
expect "an empty lock" 4 "E_LOCK: empty.json:1:0" "bundle lock" "${build[@]}" --key release.key --lock empty.json
expect "a delta in the place of what it is made of" 64 "--out ./good.tar would replace good.tar" "another name" \
    "$caisson" bundle delta good.tar --base good.tar --out ./good.tar --trust release.pub
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null | openssl pkey -pubout -out rsa.pub
expect "an RSA key to trust" 4 "E_KEY_SCHEME: public key rsa.pub: neither P-256 nor Ed25519" "key generate" "$caisson" bundle verify good.tar --trust rsa.pub
expect "a folder to trust" 64 "public key taken: read: Is a directory" "--trust" "$caisson" bundle verify good.tar --trust taken
expect "no file of CAs" 64 "--ca none.pem: No such file" "--ca mirror.example=ca.pem" "$caisson" bundle verify http://127.0.0.1:1/x --trust release.pub --ca a.example=none.pem
expect "a key without a name" 64 'key generate: "" names no file' "NAME.key" "$caisson" key generate ""
expect "an encrypted key and nobody to ask" 64 "locked.key: it is encrypted" "--passphrase-file FILE" "${build[@]}" --key locked.key
run "${build[@]}" --key locked.key --passphrase-file phrase
check "an encrypted key and its passphrase" test "$status" = 0
run "${build[@]}" --key locked.key --passphrase-file <(sleep 0.3 && cat phrase)
check "a passphrase out of a pipe" test "$status" = 0
run "$caisson" key generate locked2 --passphrase-file phrase
expect "one passphrase file and two protected keys" 64 "passphrase file phrase was for another key" "use protected keys one by one" \
    "${build[@]}" --key locked.key --root-key locked2.key --passphrase-file phrase
run "${build[@]}" --key locked.key --root-key locked.key --passphrase-file phrase
check "one passphrase file and one protected key twice" test "$status" = 0
many=()
for _ in $(seq 40); do many+=(--trust locked.pub); done
run "$caisson" bundle verify good.tar "${many[@]}" --trust release.pub
check "the last of 41 keys counts" test "$status" = 0
expect "key show of an encrypted key and nobody to ask" 64 "locked.key: it is encrypted" "--passphrase-file FILE" "$caisson" key show locked.key
expect "key show over a file that is there" 6 "release.pub exists" "choose another name" "$caisson" key show release.key --out release.pub
expect "a key at a URI that nobody opens" 64 "key xyz:1: no provider here opens such a URI" "--provider NAME" "${build[@]}" --key xyz:1
expect "a PIN on the command line" 64 "no PIN in a URI" "--passphrase-file" "${build[@]}" --key "pkcs11:token=a;object=b?pin-value=1234"
run "${build[@]}" --key release.key --source-date-epoch 4000000000
run "$caisson" bundle verify bad.tar --trust release.pub
check "a bundle of the year 2096 is fine" test "$status" = 0
check "and that is a warning" says "warning: bad.tar: E_CLOCK: issued at 2096-10-02"
expect "a bundle of the year 2096, dates enforced" 4 "E_CLOCK" "set this machine's clock" "$caisson" bundle verify bad.tar --trust release.pub --enforce-dates
# two officers, in two places
for officer in a b c; do run "$caisson" key generate $officer --scheme "$([ $officer = b ] && echo ed25519 || echo p256)"; done
keys=(--root-key a.pub --root-key b.pub --release-key a.pub --release-key b.pub)
expect "a role of two keys and no threshold" 64 "role root: a threshold of 0 with 2 keys" "--root-threshold N" "$caisson" root create root "${keys[@]}"
expect "a chain that is not there" 64 "root documents root: " "caisson root create" "$caisson" root show root
run "$caisson" root create root "${keys[@]}" --root-threshold 2 --release-threshold 2 --key a.key --expires 2026-01-01
check "root create" says "needs signatures: 1 of 2 by root keys of document 1"
expect "a bundle with a root document that lacks a signature" 6 "root document 0001 has 1 of the 2 signatures" "caisson root sign" "${build[@]}" --root root --key a.key
expect "a root document signed by a stranger" 6 "E_KEY_ROLE" "caisson root show" "$caisson" root sign root --key c.key
expect "root sign without a key" 64 "root sign needs --key" "caisson root sign DIR --key FILE" "$caisson" root sign root
run "$caisson" root sign root --key b.key
check "root sign" says "root is complete"
expect "a bundle of both ways" 64 "--epoch and --root" "caisson root rotate root" "${build[@]}" --root root --key a.key --epoch 1
expect "a release by a stranger" 6 "E_KEY_ROLE: key c.key" "caisson root show" "${build[@]}" --root root --key c.key
run "${build[@]}" --root root --key a.key
check "bundle build by the first of two" says "1 of 2 signatures: nobody takes it before"
spec 's/good.tar/bad.tar/' 's,release.pub,root/0001/root.json,'
refused "a bundle that one of two signed" 4 "E_SIG_THRESHOLD: 1 of the 2 signatures" "caisson bundle sign"
run "$caisson" bundle inspect bad.tar --trust root/0001/root.json
check "an officer may look before signing" says "1 of 2 signatures: it cannot be installed yet"
expect "bundle sign without a key" 64 "bundle sign needs --key" "" "$caisson" bundle sign bad.tar
expect "bundle sign by a stranger" 6 "E_KEY_ROLE" "release officer" "$caisson" bundle sign bad.tar --key c.key --trust root/0001/root.json
expect "bundle sign by who trusts too few" 4 "E_SIG_THRESHOLD: document 1 asks for" "more of the publisher's root keys" "$caisson" bundle sign bad.tar --key b.key
run "$caisson" bundle sign bad.tar --key b.key --trust root/0001/root.json
check "bundle sign by the second" says "2 of 2 signatures"
run "$caisson" bundle sign bad.tar --key b.key --trust root/0001/root.json
check "bundle sign again" says "has that signature already"
run "$caisson" validate
check "the bundle of two officers is valid" test "$status" = 0
check "an old root document is a warning" says "bad.tar: E_EXPIRED: the last root document expired at 2026-01-01T00:00:00Z"
expect "an old root document, dates enforced" 4 "E_EXPIRED" "ask the publisher for a newer one" "$caisson" bundle verify bad.tar --trust root/0001/root.json --enforce-dates
digest=$("$caisson" -o json bundle verify bad.tar --trust a.pub --trust b.pub 2>err | jq -r .digest)
run "$caisson" root rotate root --deny "$digest" --key a.key --key b.key
check "root rotate" says "denies $digest"
run "${build[@]}" --key release.key --expires 2026-01-01
run "$caisson" bundle verify bad.tar --trust release.pub
check "an expired release is a warning" says "E_EXPIRED: the release expired at 2026-01-01T00:00:00Z"
expect "a date that is none" 64 '--expires: "soon" is no date' "2027-12-31" "$caisson" root rotate root --expires soon
expect "a withdrawn release built again" 6 "E_DENIED: root document 2 of root forbids this release" "give the release that replaces it" "${build[@]}" --root root --key a.key
spec 's/release.pub/none.pub/'
refused "a missing public key" 64 "none.pub" ""
spec 's/profile: tiny/profile: minimal/'
refused "a bundle of another profile" 4 'E_PRODUCT: ' '`profile` or `release`'
check "and it says which is wanted" says 'is a bundle of profile "tiny", cluster.yaml wants "minimal"'
spec 's/product: caisson/product: other/'
refused "a bundle of another product" 4 'E_PRODUCT: ' '`product` or `release`'
spec 's/channel: stable/channel: beta/'
refused "a bundle of another channel" 4 'E_PRODUCT: ' '`channel` or `release`'
spec 's/level: 4/lvel: 4/'
refused "an override of an unknown setting" 64 'cluster.yaml:12:22: ' 'level'
spec 's/level: 4/level: high/'
refused "an override of another type" 64 'cluster.yaml:12:29: ' ''
spec
mv secrets.vault vault.away
expect_quiet "no vault" 64 "secrets.vault" 'caisson init' "$caisson" plan
mv vault.away secrets.vault

# ---- what the cluster had before ----

# had EPOCH.SEQUENCE ROLLBACK-TO ROOT ISSUED [FIELD]: what is remembered; good.tar is 0.1.
had() {
    mkdir -p .caisson
    cat >.caisson/floors.json <<J
{"caisson/tiny":{"channel":"stable","digest":"sha256:aa","epoch":${1%.*},"issued":"$4","product":"caisson","profile":"tiny",
"rollbackTo":[$2],"root":$3,"sequence":${1#*.},"version":"1.0.0"}}
J
}
# not_again WHAT TEXT FIX: by those who change something, before any host is contacted.
not_again() {
    expect_quiet "$1: plan" 4 "$2" "$3" "$caisson" plan
    expect_quiet "$1: apply" 4 "$2" "$3" "$caisson" apply
}
long_ago=2020-01-01T00:00:00Z
spec
had 0.5 "" 1 $long_ago
not_again "an older release" "E_ROLLBACK: release 0.1 of caisson/tiny is older than 0.5" "release 0.5 does not name 0.1"
expect_quiet "an older release that only the operator allows" 4 "E_ROLLBACK" "use 0.5 or a newer one" "$caisson" apply --allow-rollback 0.1
had 2.0 "" 1 $long_ago
not_again "a lower epoch" "E_ROLLBACK: release 0.1 of caisson/tiny is older than 2.0" "use 2.0"
had 0.5 '{"epoch":0,"sequence":1}' 1 $long_ago
not_again "an older release that only the publisher allows" "E_ROLLBACK" "--allow-rollback 0.1"
expect "an older release that both allow goes on to the host" 3 "cp-1" "is the machine on" "$caisson" apply --allow-rollback 0.1
had 0.1 "" 1 $long_ago
not_again "another release of the same number" "E_ROLLBACK: another release 0.1 of caisson/tiny" "a sequence of its own"
had 0.0 "" 2 $long_ago
not_again "an older chain of root documents" "E_ROOT_CHAIN: it ends with root document 1 of caisson; document 2 was seen" "all root documents"
sed -i 's,tiny,other,g' .caisson/floors.json
not_again "an older chain than that of another profile" "E_ROOT_CHAIN: it ends with root document 1 of caisson; document 2 was seen" "all root documents"
had 0.0 "" 1 2126-01-01T00:00:00Z
expect "a clock before the newest release is a warning" 3 "E_CLOCK: a release that was here before was issued at 2126-01-01T00:00:00Z" "" "$caisson" plan
expect_quiet "a clock before the newest release, dates enforced" 4 "E_CLOCK" "set this machine's clock" "$caisson" apply --enforce-dates
had 0.0 "" 1 $long_ago
"$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --sequence 10001 --out far.tar >"$work/out" 2>&1
spec 's/good.tar/far.tar/'
not_again "a number out of all proportion" "E_FASTFORWARD: sequence 10001 of caisson/tiny is more than 10000 above 0" "a stolen key"
spec
echo '{"x":' >.caisson/floors.json
expect_quiet "a damaged record" 1 ".caisson/floors.json" "delete it" "$caisson" plan
rm -r .caisson

# ---- two runs at once ----

mkdir .caisson && printf 'pid 7 on there' >.caisson/lock
expect_quiet "apply while another run changes the cluster" 6 "another caisson changes this cluster: pid 7 on there" "wait until" \
    flock .caisson/lock "$caisson" apply
expect_quiet "reset meanwhile" 6 "pid 7 on there" "wait until" flock .caisson/lock "$caisson" reset --yes
expect "plan meanwhile" 3 "cp-1" "is the machine on" flock .caisson/lock "$caisson" plan
expect "apply when it has ended" 3 "cp-1" "is the machine on" "$caisson" apply
check "it has left its name" grep -qx "pid [0-9]* on $(hostname)" .caisson/lock
rm -r .caisson

expect "a return to what is no number" 64 '--allow-rollback: "1" is no EPOCH.SEQUENCE' "as in 0.12" "$caisson" apply --allow-rollback 1
expect "a bundle that allows a return to what is no number" 64 '--rollback-to: "0.x" is no EPOCH.SEQUENCE' "as in 0.12" \
    "$caisson" bundle build --key release.key --rollback-to 0.x
check "a refusal leaves nothing" test ! -e .caisson

# ---- the trust store ----

pinned=$XDG_CONFIG_HOME/caisson/trust/caisson
fingerprint() { "$caisson" root show "$1" -o json | jq -r ".documents[$2].digest"; }
spec '/^  trust:/d'
refused "nobody to trust" 64 "no publisher of product caisson is trusted" "caisson trust bundle FILE"
expect "trust bundle without an answer" 6 "the publisher of good.tar was not accepted" "--fingerprint sha256:" "$caisson" trust bundle good.tar
check "the keys and the fingerprint are shown" says "fingerprint sha256:"
expect "trust bundle of what is none" 4 "E_FORMAT" "" "$caisson" trust bundle "$caisson"
expect "trust bundle of no file" 64 "none.tar: No such file" "a bundle, or a root document" "$caisson" trust bundle none.tar
printf "{}" >none.json
expect "trust bundle of another JSON file" 4 "none.json: E_ROOT_SCHEMA" "" "$caisson" trust bundle none.json
expect "trust bundle with no fingerprint" 64 '--fingerprint: "sha256:12" is no fingerprint' "caisson root show" "$caisson" trust bundle good.tar --fingerprint sha256:12
expect "trust bundle with another fingerprint" 4 "E_ROOT_PIN" "not from this publisher" "$caisson" trust bundle good.tar --fingerprint "sha256:$(printf '%064d' 0)"
check "nothing is pinned by all that" test ! -e "$pinned"
print=$("$caisson" trust bundle good.tar -o json 2>/dev/null | jq -r .fingerprint)
run "$caisson" trust bundle good.tar --fingerprint "$print"
check "trust bundle" says "pinned: root document 1 of product caisson, $print"
check "for this account alone" test "$(stat -c %a "$pinned/root.json" "$pinned/state.json" | xargs)" = "600 600"
check "the fingerprint is the SHA-256 of what is pinned" test "sha256:$(sha256sum "$pinned/root.json" | cut -c 1-64)" = "$print"
run "$caisson" trust bundle good.tar
check "again" says "pinned already"
expect "a bundle of this publisher" 3 "cp-1" "is the machine on" "$caisson" plan
"$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key other.key --out theirs.tar >"$work/out" 2>&1
expect "trust bundle of another publisher of that product" 4 "E_ROOT_PIN: another root document of caisson is pinned" "never replaced" "$caisson" trust bundle theirs.tar
spec '/^  trust:/d' 's/good.tar/theirs.tar/'
refused "a bundle of another publisher" 4 "E_ROOT_PIN" "fingerprint"
spec '/^  trust:/d' 's/product: caisson/product: unknown/'
refused "a product that nobody is trusted for" 64 "no publisher of product unknown is trusted" "caisson trust bundle FILE"
mv "$pinned" "$work/pinned.away"
spec '/^  trust:/d' 's/good.tar/one.tar/'
"$caisson" root create chain --root-key release.pub --release-key release.pub --key release.key >"$work/out" 2>&1
"$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --root chain --key release.key --out one.tar >"$work/out" 2>&1
"$caisson" root rotate chain --key release.key >"$work/out" 2>&1
"$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --root chain --key release.key --out two.tar >"$work/out" 2>&1
run "$caisson" trust bundle one.tar --fingerprint "$(fingerprint chain 0)"
check "the first of two documents" says "pinned: root document 1"
cp "$pinned/root.json" "$work/first.json"
run "$caisson" trust bundle two.tar
check "the second follows without a question" says "pinned, as what follows from the one before: root document 2"
expect "trust bundle of the older chain" 4 "E_ROOT_CHAIN: root document 2 of caisson is pinned; this ends with 1" "never replaced" "$caisson" trust bundle one.tar
refused "a bundle with the older chain" 4 "E_ROOT_CHAIN: it ends with root document 1; document 2 is trusted" "all root documents"
cp "$work/first.json" "$pinned/root.json"
refused "an old root document put back" 4 "E_ROOT_CHAIN: root document 1 of caisson is pinned; document 2 was seen before" "caisson trust bundle"
run "$caisson" trust bundle two.tar
check "the newer bundle mends it" test "$(jq .version "$pinned/root.json")" = 2
echo x >"$pinned/state.json"
expect_quiet "a damaged state of the trust store" 1 "state.json" "restore it" "$caisson" plan
rm -r "$pinned" && mv "$work/pinned.away" "$pinned"
cd "$work" || exit 1
run "$caisson" bundle verify c/good.tar
check "bundle verify takes whom the trust store has" says "is intact"
"$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key c/release.key --expires 2100-01-01 --out c/late.tar >"$work/out" 2>&1
cp "$pinned/state.json" state.away
jq '.floors = {"caisson/tiny": {channel: "stable", digest: "sha256:aa", epoch: 0, issued: "2126-01-01T00:00:00Z", product: "caisson",
    profile: "tiny", rollbackTo: [], root: 1, sequence: 1, version: "1"}}' state.away >"$pinned/state.json"
expect "bundle verify, and the time that the trust store has seen" 4 "E_EXPIRED" "newer one" "$caisson" bundle verify c/late.tar --enforce-dates
expect "bundle ingest, and that time" 4 "E_EXPIRED" "newer one" "$caisson" bundle ingest c/late.tar --store none --enforce-dates
run "$caisson" bundle verify c/late.tar --enforce-dates --trust c/release.pub
check "which says nothing where it is not asked" test "$status" = 0
mv state.away "$pinned/state.json"
cd c || exit 1
spec

# ---- the verbs that show bundles: each refuses what is none, and one of another key ----

cp "$caisson" bad.tar
for verb in "bundle inspect" "bundle list" "bundle licenses" "bundle sbom" "bundle diff"; do
    read -ra words <<<"$verb"
    and=()
    [ "$verb" = "bundle diff" ] && and=(good.tar)
    expect "$verb: a file that is no bundle" 4 "bad.tar: " "" "$caisson" "${words[@]}" bad.tar "${and[@]}" --trust release.pub
    expect "$verb: another key" 4 "E_ROOT_PIN" "fingerprint" "$caisson" "${words[@]}" good.tar "${and[@]}" --trust other.pub
    expect "$verb: no file" 64 "none.tar: No such file" "is the path right?" "$caisson" "${words[@]}" none.tar "${and[@]}" --trust release.pub
done
expect "bundle diff: the second file is none" 4 "bad.tar: " "" "$caisson" bundle diff good.tar bad.tar --trust release.pub
expect "bundle diff of one file" 64 "bundle diff needs OLD NEW" "caisson bundle diff OLD NEW" "$caisson" bundle diff good.tar
run "$caisson" bundle diff good.tar good.tar
check "bundle diff of the same release ends with 0" test "$status" = 0
"$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --sequence 2 --out next.tar >"$work/out" 2>&1
run "$caisson" bundle diff good.tar next.tar
check "bundle diff of two releases ends with 2" test "$status" = 2
check "and says what differs" says "sequence: 1 -> 2"
sed -i 's/license: MIT/license: GPL v2/' "$work/bundles/tool.yaml"
expect "a licence that is no SPDX expression" 64 "tool.yaml:3:33: license is no SPDX expression" "SPDX licence list" \
    "$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --out next.tar
sed -i 's/license: GPL v2/license: MIT/' "$work/bundles/tool.yaml"
cp "$work/bundles/tool.yaml" "$work/tool.good"
build=("$caisson" bundle build --profile "$work/tiny.yaml" --bundles "$work/bundles" --key release.key --out none.tar)
(cat "$work/tool.good" && echo 'files: [{json: {containers: [{image: "busybox:1"}]}}]') >"$work/bundles/tool.yaml"
expect "a definition that names an image which the release has not" 64 \
    "tool.yaml:7:38: E_REF: this release has no image docker.io/library/busybox:1" "make the lock again" "${build[@]}"
(cat "$work/tool.good" && echo 'images: [{name: "example.org/x:1", roles: [all]}]') >"$work/bundles/tool.yaml"
expect "an image that nothing names" 64 "tool.yaml:7:10: E_REF: no manifest and no setting names the image example.org/x:1" \
    "usedBy" "${build[@]}"
check "and nothing was built" test ! -e none.tar
mv "$work/tool.good" "$work/bundles/tool.yaml"
run "$caisson" bundle licenses good.tar
check "bundle licenses" says "MIT"
expect "bundle sbom: a format that is none" 64 'there is no format "spxd"' "did you mean spdx?" "$caisson" bundle sbom good.tar --format spxd
run "$caisson" bundle sbom good.tar --format spdx
check "bundle sbom --format spdx" says '"spdxVersion":"SPDX-2.3"'
run "$caisson" bundle sbom good.tar
check "bundle sbom" says '"bomFormat":"CycloneDX"'

# ---- shell metacharacters and newlines in every text of the schema ----

# One line a text: its name in the schema, what stands for it in the good file, and what takes its place (@: the text).
fields='apiVersion	caisson.dev/v1	@
kind	kind: Cluster	kind: @
name	plant	@
name	cp-1	@
release	./good.tar	@
trust	release.pub	@
addons	addons: []	addons: [@]
profile	tiny	@
product	product: caisson	product: @
channel	channel: stable	channel: @
pods	10.244.0.0/16	@
services	10.96.0.0/16	@
upstream	10.0.0.53	@
user	admin	@
key	key: id	key: @
roles	control-plane]	@]
address	127.0.0.1	@
hostKey	127.0.0.1	127.0.0.1, hostKey: @
labels	roles:	labels: {zone: @}, roles:
key	roles:	taints: [{key: @, effect: NoSchedule}], roles:
value	roles:	taints: [{key: a, value: @, effect: NoSchedule}], roles:
effect	roles:	taints: [{key: a, effect: @}], roles:
override	fine	@
acknowledge	single-control-plane	@'
poisons=('$(touch PWNED)' '`touch PWNED`' '; touch PWNED' '| touch PWNED' 'x && touch PWNED' 'a\\ntouch PWNED\\n' '-oProxyCommand=touch PWNED'
    "'; touch PWNED; '" '${IFS}' '%s%n' '\\e[2J' '\\u0085' '../../PWNED' '!!python')

# poison NAME FROM TO: each one is refused with a way out, or nothing comes of it.
poison() {
    local name=$1 from=$2 to=$3 p text verb why=''
    for p in "${poisons[@]}"; do
        text=${to/@/"\"$p\""}
        echo "${yaml/"$from"/"$text"}" >cluster.yaml
        cmp -s cluster.yaml "$work/good.yaml" && { why="nothing was put in for $from"; break; }
        for verb in "validate --no-bundle" plan; do
            # shellcheck disable=SC2086 # verb and option
            run "$caisson" $verb
            [ "$status" = 0 ] && [ "$verb" != plan ] && continue # not refused: on to the hosts
            case $status in 3 | 4 | 64) ;; *) why="$verb with $p: exit status $status" ;; esac
            [ "$status" = 64 ] && ! grep -q '^  fix: ' "$work/err" && why="$verb with $p: no way out"
            LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$work/err" "$work/out" && why="$verb with $p: control characters in its words"
            [ -z "$(find "$work" -name '*PWNED*')" ] || why="$verb with $p: IT WAS RUN"
            [ -z "$why" ] || break 2
            break
        done
    done
    if [ -z "$why" ]; then pass "no text of $name ($to) is ever run"; else fail "no text of $name is ever run" "$why"; fi
}
yaml=$(<"$work/good.yaml")
while IFS=$'\t' read -r name from to; do poison "$name" "$from" "$to"; done <<<"$fields"

# The table above has every text that the schema knows.
known=$(sed -nE 's/^ *\{"([a-zA-Z]+)", (DOC_STRING|DOC_LIST, .*elem = DOC_STRING|DOC_LIST, \.elem = DOC_STRING).*/\1/p' "$source/installer/cluster/schema.c" | sort -u)
missing=$(comm -23 <(echo "$known") <(cut -f 1 <<<"$fields" | sort -u))
if [ -n "$known" ] && [ -z "$missing" ]; then pass "every text of the schema was tried"; else fail "every text of the schema was tried" "not: $missing"; fi

# ---- host keys, with a real sshd ----

host_keys() {
    local sshd key sshd_port
    sshd=$(command -v sshd || echo /usr/sbin/sshd)
    [ -x "$sshd" ] || { echo "skip host keys: no sshd"; return; }
    ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    sshd_port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
    "$sshd" -D -e -f /dev/null -h "$work/host_key" -p "$sshd_port" -o ListenAddress=127.0.0.1 -o PidFile=none -o UsePAM=no \
        -o AuthorizedKeysFile=none -o PasswordAuthentication=no 2>"$work/sshd.log" &
    pids+=($!)
    within bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"' - "$sshd_port"
    key=$(ssh-keygen -lf "$work/host_key.pub" | cut -d ' ' -f 2)
    spec "s/port: $port/port: $sshd_port/" "11a\\    - {name: w-1, roles: [worker], ssh: {address: 127.0.0.3, port: 1}}"
    expect "an unknown host key" 4 "$key (ssh-ed25519) is not known yet" "caisson trust host cp-1" "$caisson" plan
    expect "an unknown host key, and preflight" 4 "check" "" "$caisson" preflight
    check "preflight reports the one host" says "fail  cp-1: host-key: "
    check "and the other" says "fail  w-1: reachable: "
    expect "trust host without an answer" 6 "host key was not accepted" "--accept SHA256:" "$caisson" trust host cp-1
    expect "trust host of a host that is not there" 64 'no host "cp-9"' "spec.hosts" "$caisson" trust host cp-9
    expect "trust host when a later host does not answer" 3 "w-1" "" "$caisson" trust host --accept "$key"
    check "what was confirmed is said" says "pinned  cp-1"
    check "and kept" grep -qF "[127.0.0.1]:$sshd_port ssh-ed25519 " known_hosts
    expect "a known host key, and no login" 3 "login as admin refused" "authorized_keys" "$caisson" plan
    ssh-keygen -q -t ed25519 -N '' -f "$work/other_key"
    awk -v k="$(cut -d ' ' -f 2 "$work/other_key.pub")" '{ $3 = k; print }' known_hosts >known.new && mv known.new known_hosts
    expect "a changed host key" 4 "the host key is $key (ssh-ed25519), which is not the one" "remove the old key" "$caisson" plan
    expect "a changed host key, and apply" 4 "which is not the one" "somebody may be in between" "$caisson" apply
}
host_keys

# ---- out of the net ----

# serve_files: the file server of tests/http with a CA of its own; its ports into plain, secure and refusing.
serve_files() {
    local ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2) name alt
    mkdir -p "$work/net/files"
    openssl req -x509 "${ec[@]}" -subj "/CN=a ca" -keyout "$work/net/ca.key" -out "$work/net/ca.pem" || return
    for name in server client; do
        alt=DNS:$name.example
        [ $name = client ] || alt=IP:127.0.0.1
        openssl req -x509 "${ec[@]}" -subj "/CN=$name" -keyout "$work/net/$name.key" -out "$work/net/$name.pem" \
            -CA "$work/net/ca.pem" -CAkey "$work/net/ca.key" -addext "subjectAltName=$alt" || return
    done
    python3 "$source/tests/http/files.py" "$work/net" >"$work/net/ports" &
    pids+=($!)
    within test -s "$work/net/ports" || return
    read -r plain secure _ refusing _ <"$work/net/ports"
}

# lock_url NAME URL [SHA256]: a lock of one file of the bundle's bytes there.
lock_url() {
    local sha256
    sha256=${3:-$(sha256sum good.tar | cut -c 1-64)}
    cat >"$1" <<J
{"schema":1,"profile":"tiny","platform":"linux/amd64","entries":[{"component":"tool","file":"tool","id":"tool/1.2.3/tool",
"kind":"file","purl":"pkg:generic/tool@1.2.3","sha256":"$sha256","size":$(stat -c %s good.tar),"version":"1.2.3",
"license":"MIT","platform":"linux/amd64","upstream":{"type":"none","ref":"x"},"urls":["$2"]}]}
J
}

# nothing_came: no file, whole or in part, is in the cache that was to be filled.
nothing_came() { [ ! -d filled ] || [ -z "$(find filled -type f)" ]; }

# fetching WHAT STATUS TEXT FIX MODE [OPTION]...: bundle fetch of a file that the server gives as MODE says.
fetching() {
    local what="bundle fetch: $1" status=$2 text=$3 fix=$4 mode=$5
    shift 5
    lock_url net.lock "https://127.0.0.1:$secure/$mode/good.tar"
    expect "$what" "$status" "$text" "$fix" "$caisson" bundle fetch --lock net.lock --cache filled --ca "127.0.0.1=$work/net/ca.pem" "$@"
    check "$what: nothing is left" nothing_came
}

net() {
    local url fetch=("$caisson" bundle fetch --lock net.lock --cache filled)
    if ! serve_files >"$work/out" 2>"$work/err"; then
        fail "a file server" "does not start"
        return
    fi
    spec
    cp good.tar "$work/net/files/good.tar"
    head -c 5000 good.tar >"$work/net/files/half.tar"
    url=https://127.0.0.1:$secure
    fetching "not there" 3 "E_SRC_HTTP: the server says 404" "Open it in a browser" nonsense
    fetching "other bytes" 4 "E_LOCK: https://127.0.0.1:$secure/wrong/good.tar: E_DIGEST" "another source" wrong
    fetching "too long" 3 "E_SRC_SIZE: it has" "is the URL right?" longer
    fetching "without an end" 3 "E_SRC_SIZE: more bytes come" "is the URL right?" endless
    fetching "packed" 3 "E_SRC_SIZE: sent as gzip" "switch compression off" gzip
    fetching "another range" 3 "E_SRC_RANGE: asked for the bytes from 0 on" "cannot be relied on" skewed
    fetching "a redirect to a file" 3 "E_SRC_REDIRECT: it leads to file:///etc/passwd" "stays in https" tofile
    fetching "a redirect to http" 3 "E_SRC_REDIRECT: it leads to http://" "stays in https" "to/http/127.0.0.1:$plain/ok"
    fetching "a circle" 3 "E_SRC_REDIRECT: more than 8" "in a circle" circle
    fetching "a proxy that wants a password" 3 "E_SRC_PROXY" "https_proxy" ok --proxy "http://127.0.0.1:$refusing"
    fetching "a password in the arguments" 64 "--proxy: a user's name or a password" "https_proxy in the environment" ok \
        --proxy "http://me:secret@127.0.0.1:$refusing"
    fetching "a mirror that is none" 64 "--mirror https://a: not FROM=TO" "mirror.example" ok --mirror https://a
    fetching "CAs that are none" 64 "good.yaml: no certificate" "PEM file" ok --ca "127.0.0.1=$work/good.yaml"
    lock_url net.lock "$url/ok/good.tar"
    expect "bundle fetch: an unknown CA" 3 "E_SRC_TLS" "--ca HOST=FILE" "${fetch[@]}"
    lock_url net.lock "https://127.0.0.1:1/good.tar"
    run "${fetch[@]}" -o json --mirror "https://127.0.0.1:1/=http://127.0.0.1:$plain/nonsense/"
    check "bundle fetch: nobody there, in JSON" grep -q '"code":"E_SRC_' "$work/err"
    lock_url net.lock "http://127.0.0.1:$plain/ok/good.tar"
    expect "bundle fetch: http in a lock" 4 "E_LOCK: net.lock: entry 0 (tool/1.2.3/tool): address" "caisson bundle lock" "${fetch[@]}"
    expect "bundle fetch: no lock" 64 "lock: open none.lock" "caisson bundle lock" "$caisson" bundle fetch --lock none.lock --cache filled
    expect "bundle fetch: a lock and a profile" 64 "one lock at a time" "leave one" "${fetch[@]}" --profile tiny
    sed 's/"urls":.*/"urls":[]}]}/' net.lock >none.lock
    expect "bundle fetch: no address" 1 "E_MISSING: 1 of 1 entries" "scripts/payloads" "$caisson" bundle fetch --lock none.lock --cache filled
    check "it says which" says "missing tool/1.2.3/tool"
    lock_url net.lock "https://127.0.0.1:1/good.tar"
    run "${fetch[@]}" --mirror "https://127.0.0.1:1/=http://127.0.0.1:$plain/ok/"
    check "bundle fetch from a mirror" test "$status-$(find filled -type f | wc -l)" = 0-1

    # a bundle on a web server
    url=http://127.0.0.1:$plain
    run "$caisson" bundle verify "$url/ok/good.tar" --trust release.pub
    check "bundle verify of a URL" test "$status-$(grep -c "^$url/ok/good.tar is intact" "$work/out")" = 0-1
    run "$caisson" bundle verify "https://127.0.0.1:$secure/ok/good.tar" --trust release.pub --ca "127.0.0.1=$work/net/ca.pem"
    check "bundle verify of a URL with a CA of its own" test "$status" = 0
    for verb in inspect list licenses sbom; do
        run "$caisson" bundle $verb "https://127.0.0.1:$secure/ok/good.tar" --trust release.pub --ca "127.0.0.1=$work/net/ca.pem"
        check "bundle $verb of a URL" test "$status" = 0
    done
    run "$caisson" bundle diff good.tar "$url/ok/good.tar" --trust release.pub
    check "bundle diff of a file and a URL" test "$status" = 0
    run "$caisson" bundle ingest "$url/ok/good.tar" --trust release.pub --store stored
    check "bundle ingest of a URL" test "$status" = 0
    : >"$work/net/log"
    run "$caisson" bundle ingest "https://127.0.0.1:$secure/ok/good.tar" --trust release.pub --store stored --ca "127.0.0.1=$work/net/ca.pem"
    check "once more: only the head is fetched" test "$status-$(grep -c GET "$work/net/log")" = 0-1
    expect "bundle ingest from a server without ranges" 3 "E_SRC_RANGE" "curl -fL 'URL' | caisson bundle ingest -" \
        "$caisson" bundle ingest "$url/norange/good.tar" --trust release.pub --store none
    expect "bundle ingest of a cut bundle on a server" 4 "E_TRUNCATED" "" "$caisson" bundle ingest "$url/ok/half.tar" --trust release.pub --store none
    check "nothing of that is stored" test -z "$(find none -name '[0-9a-f]*' -type f -path '*releases*' 2>/dev/null)"
    expect "a server without ranges" 3 "E_SRC_RANGE" "curl -fL 'URL' | caisson bundle ingest -" \
        "$caisson" bundle verify "$url/norange/good.tar" --trust release.pub
    expect "a URL that is nowhere" 3 "E_SRC_HTTP: the server says 404" "right?" "$caisson" bundle inspect "$url/ok/none.tar" --trust release.pub
    expect "a server with a private CA" 3 "E_SRC_TLS" "--ca" "$caisson" bundle inspect "https://127.0.0.1:$secure/ok/good.tar" --trust release.pub
    expect "a cut bundle on a server" 4 "E_TRUNCATED" "" "$caisson" bundle verify "$url/ok/half.tar" --trust release.pub
    expect "another release on the server meanwhile" 4 "" "" "$caisson" bundle verify "$url/wrong/good.tar" --trust release.pub
    expect "a URL where a file is wanted" 64 "an address, where a file is wanted" "caisson bundle ingest" "$caisson" bundle split "$url/ok/good.tar"
    wrong "a release at an address" 5:12 "release: an address" "caisson bundle ingest" "s|./good.tar|$url/ok/good.tar|"
    spec
}
net

# ---- the command line ----

spec
expect "a wrong verb" 64 'no verb "plam"' 'did you mean "plan"?' "$caisson" plam
expect "a wrong option" 64 'plan has no option --confg' '--config' "$caisson" plan --confg x
expect "init with a name that is none" 64 'not a DNS-1123 name' 'lower-case letters' "$caisson" init --name 'My Plant'
expect "init with another name" 64 'calls its cluster "plant"' 'leave --name out' "$caisson" init --name other
mkdir "$work/new"
cd "$work/new" || exit 1
run "$caisson" init --name plant-7
check "init --name" grep -qF 'metadata: {name: plant-7}' cluster.yaml
check "init names the vault plainly" grep -qx 'made  secrets.vault' "$work/out"
cd "$work/c" || exit 1
expect "simulated facts that are none" 64 'CAISSON_FACTS_OVERRIDE' 'unset' env CAISSON_FACTS_OVERRIDE="$work/none.json" "$caisson" preflight
echo '{"cp-9": {}}' >"$work/over.json"
expect_quiet "simulated facts of nobody" 64 '"cp-9" is no host' 'unset' env CAISSON_FACTS_OVERRIDE="$work/over.json" "$caisson" preflight
echo "$good passed, $bad failed"
[ "$bad" = 0 ]
