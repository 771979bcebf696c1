"""Starts a real etcd and kube-apiserver from the payload cache on loopback; prints "port PORT" or "skip REASON"."""
import ctypes
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

folder = sys.argv[1]
cache = os.environ.get("CAISSON_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
lock = os.path.join(cache, "lock", "minimal.lock.json")


def skip(reason):
    print("skip", reason, flush=True)
    sys.exit(0)


def program(name):
    for entry in json.load(open(lock))["entries"]:
        if entry.get("file") == name:
            source = os.path.join(cache, "blobs", "sha256", entry["sha256"])
            if not os.path.exists(source):
                skip("%s is not in the cache" % name)
            target = os.path.join(folder, name)
            shutil.copyfile(source, target)
            os.chmod(target, 0o700)
            return target
    skip("%s is not in %s" % (name, lock))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def die_with_us():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run(name, *args):
    log = open(os.path.join(folder, os.path.basename(name) + ".log"), "wb")
    return subprocess.Popen([name, *args], stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=die_with_us)


def wait_port(port, process, seconds, tls=None):
    """Whether the process listens there; with `tls`, one that has our certificate: nobody else who took the port meanwhile."""
    for _ in range(seconds * 20):
        if process.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                if tls:
                    tls.wrap_socket(s, server_hostname="127.0.0.1").close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


if not os.path.exists(lock):
    skip("no payload cache at %s (CAISSON_CACHE)" % cache)
etcd, api = program("etcd"), program("kube-apiserver")
pem = {name: os.path.join(folder, name) for name in ("ca.pem", "server.pem", "server.key")}


def start():
    """etcd and the API server's port, or None when one of the two does not start."""
    client, peer, secure = free_port(), free_port(), free_port()
    here = "http://127.0.0.1:%d"
    db = run(etcd, "--data-dir", os.path.join(folder, "data-%d" % client), "--listen-client-urls", here % client,
             "--advertise-client-urls", here % client, "--listen-peer-urls", here % peer,
             "--initial-advertise-peer-urls", here % peer, "--initial-cluster", "default=" + here % peer,
             "--unsafe-no-fsync")
    server = run(api, "--etcd-servers=" + here % client, "--bind-address=127.0.0.1", "--secure-port=%d" % secure,
                 "--tls-cert-file=" + pem["server.pem"], "--tls-private-key-file=" + pem["server.key"],
                 "--client-ca-file=" + pem["ca.pem"], "--authorization-mode=RBAC",
                 "--service-cluster-ip-range=10.96.0.0/16", "--service-account-issuer=https://kubernetes.default.svc",
                 "--service-account-key-file=" + pem["server.pem"],
                 "--service-account-signing-key-file=" + pem["server.key"])
    if wait_port(client, db, 60) and wait_port(secure, server, 60, ssl.create_default_context(cafile=pem["ca.pem"])):
        return db, secure
    for process in db, server:
        process.kill()
        process.wait()
    return None


# A port that was free may be another test's by the time the API server listens, seconds later.
started = start() or start() or start()
if not started:  # one line, and a short one, is all that is read of it
    last = {name: open(os.path.join(folder, name + ".log"), errors="replace").read()[-60:] for name in ("etcd", "kube-apiserver")}
    print("fail", json.dumps(last), flush=True)
    sys.exit(1)
etcd_process, port = started
print("port", port, flush=True)
etcd_process.wait()
