"""Operations of caisson-node on a simulated node (--root)."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from wirecli import DATA, END, REPLY, Gone, Node, canonical, manifest, sha256

NODE, PACK = sys.argv[1:3]
UNIT = "[Unit]\nDescription=%s\n[Service]\nExecStart=/bin/true\n"
FAILING = UNIT + "[X-Simulate]\nFail=yes\n"


class Case(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="caisson-node-")
        self.base = os.path.join(self.root, "var/lib/caisson")
        self.node = Node([NODE, "serve", "--root", self.root])

    def tearDown(self):
        self.node.close()
        shutil.rmtree(self.root)

    def failure(self, op, kind, **kw):
        reply = self.node.call(op, **kw)
        self.assertEqual(reply.get("error", {}).get("kind"), kind, reply)
        return reply["error"]

    def put(self, units, **kw):
        m, texts = manifest(units, **kw)
        reply = self.node.ok("generation.put", manifest=m, inline=texts)
        self.assertEqual(reply["digest"], sha256(canonical(m)))
        return reply

    def activate(self, units, **kw):
        g = self.put(units, **kw)
        return self.node.ok("generation.activate", generation=g["generation"], digest=g["digest"])

    def actions(self):
        path = os.path.join(self.root, "run/simulated/actions")
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")[:-1]
        os.truncate(path, 0)
        return [line for line in lines if not line.startswith("reload")]

    def current(self):
        try:
            return os.readlink(os.path.join(self.base, "current"))
        except FileNotFoundError:
            return None


class Store(Case):
    def test_blob(self):
        data = os.urandom(300000)
        digest = sha256(data)
        self.assertEqual(self.node.ok("store.have", blobs=[digest])["missing"]["blobs"], [digest])
        self.failure("blob.put", "untrusted", digest=digest, size=len(data), body=data[:-1])
        self.failure("blob.put", "untrusted", digest=digest, size=len(data), body=data[:-1] + b"x")
        self.failure("blob.put", "untrusted", digest=digest, size=len(data), body=data + b"x")
        self.failure("blob.put", "usage", digest="../../etc/passwd", size=1, body=b"x")
        self.assertEqual(os.listdir(os.path.join(self.base, "store/sha256")), [])
        self.node.ok("blob.put", digest=digest, size=len(data), body=data)
        self.node.ok("blob.put", digest=digest, size=len(data), body=data)
        self.assertEqual(self.node.ok("store.have", blobs=[digest])["missing"]["blobs"], [])
        with open(os.path.join(self.base, "store/sha256", digest), "rb") as f:
            self.assertEqual(f.read(), data)

    def test_cut_upload_is_swept(self):
        data = b"x" * 1000
        stream = self.node.open("blob.put", digest=sha256(data), size=len(data))
        self.node.send(DATA, stream, data[:500])
        folder = os.path.join(self.base, "store/sha256")
        while not os.path.isdir(folder) or not os.listdir(folder):
            time.sleep(0.01)
        self.node.process.kill()
        self.node.close()
        self.assertEqual(len(os.listdir(folder)), 1)
        self.node = Node([NODE, "serve", "--root", self.root])
        self.node.ok("hello")
        self.assertEqual(os.listdir(folder), [])

    def test_secret(self):
        ident = sha256(b"id")
        self.node.ok("secret.put", id=ident, body=b"top secret")
        path = os.path.join(self.base, "secrets", ident)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o777, 0o700)
        self.failure("secret.put", "untrusted", id="big", body=b"x" * 70000)
        self.failure("secret.put", "usage", id="../x", body=b"x")

    def package(self):
        script = os.path.join(self.root, "hello.sh")
        with open(script, "w", encoding="utf-8") as f:
            f.write('#!/bin/sh\necho "args: $*"\ncat\necho trouble >&2\nexit 3\n')
        data = subprocess.run([PACK, f"bin/hello={script}"], check=True, capture_output=True).stdout
        return data, sha256(data)

    def test_tree_and_run(self):
        data, digest = self.package()
        self.failure("tree.put", "untrusted", digest=digest, size=len(data), rawMax=1 << 20, body=data[:-5])
        self.failure("tree.put", "untrusted", digest=sha256(b"other"), size=len(data), rawMax=1 << 20, body=data)
        self.failure("tree.put", "untrusted", digest=digest, size=len(data), rawMax=10, body=data)
        self.assertEqual(os.listdir(os.path.join(self.base, "tree")), [])
        self.node.ok("tree.put", digest=digest, size=len(data), rawMax=1 << 20, body=data)
        self.node.ok("tree.put", digest=digest, size=len(data), rawMax=1 << 20, body=data)
        self.assertEqual(os.listdir(os.path.join(self.base, "tree")), [digest])
        program = f"/var/lib/caisson/tree/{digest}/bin/hello"
        reply = self.node.ok("run", argv=[program, "a b", "$(id)"], body=b"input\n", timeoutMs=10000)
        self.assertEqual((reply["exit"], reply["stdout"], reply["stderr"]),
                         (3, "args: a b $(id)\ninput\n", "trouble\n"))

    def test_run_only_inside_a_tree(self):
        data, digest = self.package()
        self.node.ok("tree.put", digest=digest, size=len(data), rawMax=1 << 20, body=data)
        tree = f"/var/lib/caisson/tree/{digest}"
        os.symlink("/bin/sh", os.path.join(self.root, tree[1:], "bin/way-out"))
        for program in ("/bin/sh", "sh", f"{tree}/../../../../../bin/sh", f"{tree}/bin/way-out", tree,
                        "/var/lib/caisson/tree/x/bin/hello", "/var/lib/caisson/bin/caisson-node"):
            error = self.node.call("run", argv=[program])["error"]
            self.assertIn(error["kind"], ("refused", "usage", "failed"), program)
            self.assertNotIn("exit", error)
        self.failure("run", "refused", argv=[f"{tree}/bin/way-out"])
        self.failure("run", "usage", argv=[])


class Generations(Case):
    def test_first_one(self):
        reply = self.activate([("b.service", UNIT % "b" + "After=a.service\n", "1"), ("a.service", UNIT % "a", "1")],
                              files=[("conf/a.yaml", "a: 1\n")], sysctl={"net.ipv4.ip_forward": "1"})
        self.assertTrue(reply["changed"])
        self.assertEqual(self.actions(), ["restart a.service", "restart b.service"])
        path = os.path.join(self.base, "current/files/conf/a.yaml")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o640)
        units = os.path.join(self.root, "run/systemd/system")
        self.assertEqual(os.readlink(os.path.join(units, "a.service")), "/var/lib/caisson/current/units/a.service")
        with open(os.path.join(units, "caisson.target"), encoding="utf-8") as f:
            self.assertIn("Wants=a.service\n", f.read())
        with open(os.path.join(self.root, "proc/sys/net/ipv4/ip_forward"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "1")
        etc = os.path.join(self.root, "etc/systemd/system")
        self.assertTrue(os.path.isfile(os.path.join(etc, "caisson-boot.service")))
        self.assertTrue(os.path.islink(os.path.join(etc, "multi-user.target.wants/caisson-boot.service")))
        state = self.node.ok("state")
        self.assertEqual((state["generation"], state["pending"], state["previous"]["generation"]), (1, False, 0))
        self.assertEqual([u["active"] for u in state["units"]], ["active", "active"])

    def test_equal_is_nothing(self):
        units = [("a.service", UNIT % "a", "1")]
        self.activate(units)
        self.actions()
        self.assertFalse(self.activate(units)["changed"])
        self.assertEqual(self.actions(), [])
        self.assertEqual(os.listdir(os.path.join(self.base, "generations")), ["1"])

    def test_only_what_changed(self):
        self.activate([("a.service", UNIT % "a", "1"), ("b.service", UNIT % "b", "1"), ("c.service", UNIT % "c", "1")])
        self.actions()
        reply = self.activate([("a.service", UNIT % "a", "1"), ("b.service", UNIT % "b", "2"),
                               ("d.service", UNIT % "d", "1")])
        self.assertEqual((reply["stopped"], reply["restarted"], reply["started"]),
                         (["c.service"], ["b.service"], ["d.service"]))
        self.assertEqual(self.actions(), ["stop c.service", "restart b.service", "restart d.service"])
        self.assertFalse(os.path.lexists(os.path.join(self.root, "run/systemd/system/c.service")))
        self.assertEqual(self.node.ok("state")["previous"]["generation"], 1)

    def test_failure_goes_back(self):
        self.activate([("a.service", UNIT % "a", "1"), ("b.service", UNIT % "b", "1")])
        self.actions()
        g = self.put([("a.service", FAILING % "a", "2"), ("b.service", UNIT % "b", "1"), ("c.service", UNIT % "c", "1")])
        events = []
        reply = self.node.call("generation.activate", generation=g["generation"], digest=g["digest"], events=events)
        self.assertTrue(reply["error"]["rolledBack"], reply)
        self.assertTrue(reply["error"]["text"].endswith("; generation 1 runs again"), reply)
        self.assertEqual(reply["error"]["units"][0]["name"], "a.service")
        self.assertIn({"unit": "a.service", "state": "failed"}, events)
        self.assertEqual(self.current(), "generations/1")
        self.assertEqual(self.actions()[-2:], ["stop c.service", "restart a.service"])
        self.assertEqual({u["active"] for u in self.node.ok("state")["units"]}, {"active"})

    def test_first_failure_leaves_nothing(self):
        g = self.put([("a.service", FAILING % "a", "1"), ("b.service", UNIT % "b", "1")])
        reply = self.node.call("generation.activate", generation=g["generation"], digest=g["digest"])
        self.assertTrue(reply["error"]["rolledBack"], reply)
        self.assertIsNone(self.current())
        self.assertFalse(os.listdir(os.path.join(self.root, "run/caisson/started")))

    def test_never_ready(self):
        g = self.put([("a.service", UNIT % "a" + "[X-Simulate]\nDelayMs=60000\n", "1")])
        begun = time.monotonic()
        error = self.failure("generation.activate", "failed", generation=g["generation"], digest=g["digest"])
        self.assertIn("not ready after 3 s", error["text"])
        self.assertLess(time.monotonic() - begun, 10)

    def test_a_loop_of_restarts_is_noticed(self):
        g = self.put([("a.service", UNIT % "a" + "[X-Simulate]\nDelayMs=60000\nRestarts=5\n", "1")])
        error = self.failure("generation.activate", "failed", generation=g["generation"], digest=g["digest"])
        self.assertIn("was started again 5 times", error["text"])
        self.assertTrue(error["rolledBack"])

    def test_back_and_floor(self):
        first = self.put([("a.service", UNIT % "a", "1")])
        self.activate([("a.service", UNIT % "a", "1")])
        self.activate([("a.service", UNIT % "a", "2")])
        self.node.ok("generation.activate", generation=1, digest=first["digest"])
        self.assertEqual(self.current(), "generations/1")
        g = self.put([("a.service", UNIT % "a", "3")])
        self.node.ok("generation.activate", generation=g["generation"], digest=g["digest"], rollbackFloor=3)
        self.failure("generation.activate", "refused", generation=1, digest=first["digest"])

    def test_damage_is_found_before_the_flip(self):
        self.activate([("a.service", UNIT % "a", "1")])
        g = self.put([("a.service", UNIT % "a", "2")], files=[("f", "text")])
        path = os.path.join(self.base, "generations", str(g["generation"]), "files/f")
        with open(path, "w", encoding="utf-8") as f:
            f.write("tex?")
        self.failure("generation.activate", "untrusted", generation=g["generation"], digest=g["digest"])
        self.failure("generation.activate", "untrusted", generation=g["generation"], digest="0" * 64)
        self.assertEqual(self.current(), "generations/1")

    def test_bad_manifests(self):
        bad = [{"schema": 2}, {"trees": ["x"]}, {"nonsense": 1}, {"modules": ["../x"]}, {"owned": ["relative"]},
               {"sysctl": {"../../x": "1"}}]
        for extra in bad:
            m, texts = manifest([], **extra)
            self.failure("generation.put", "usage", manifest=m, inline=texts)
        for name in ("../x", "/etc/passwd", "a/../../b", "", ".", "a//b"):
            m, texts = manifest(files=[(name, "x")])
            self.failure("generation.put", "usage", manifest=m, inline=texts)
        for name in ("x", "../x.service", "caisson.target", "caisson-boot.service", "a b.service"):
            m, texts = manifest([(name, UNIT, "1")])
            self.failure("generation.put", "usage", manifest=m, inline=texts)
        m, texts = manifest(files=[("f", "text")])
        self.failure("generation.put", "untrusted", manifest=m, inline={k: v + "x" for k, v in texts.items()})
        m, _ = manifest(trees=["0" * 64])
        self.failure("generation.put", "failed", manifest=m, inline={})

    def test_secret_file(self):
        ident = sha256(b"keyed")
        self.node.ok("secret.put", id=ident, body=b"s3cret")
        m, texts = manifest()
        m["files"] = [{"name": "sa.key", "mode": "0600", "source": "secret", "digest": ident}]
        g = self.node.ok("generation.put", manifest=m, inline=texts)
        self.node.ok("generation.activate", generation=g["generation"], digest=g["digest"])
        path = os.path.join(self.base, "current/files/sa.key")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_big_manifest(self):
        files = [(f"f{i}", "x" * 3000 + str(i)) for i in range(300)]
        self.activate([], files=files)
        self.assertEqual(len(os.listdir(os.path.join(self.base, "current/files"))), 300)

    def test_drift_is_repaired(self):
        units = [("a.service", UNIT % "a", "1"), ("b.service", UNIT % "b", "1")]
        self.activate(units)
        self.actions()
        os.unlink(os.path.join(self.root, "run/simulated/state/b.service"))
        os.unlink(os.path.join(self.root, "run/systemd/system/a.service"))
        reply = self.activate(units)
        self.assertEqual((reply["changed"], reply["started"], reply["restarted"]), (True, ["b.service"], []))

    def test_boot(self):
        self.activate([("a.service", UNIT % "a", "1")], sysctl={"vm.swappiness": "10"})
        shutil.rmtree(os.path.join(self.root, "run"))
        shutil.rmtree(os.path.join(self.root, "proc"))
        subprocess.run([NODE, "boot", "--root", self.root], check=True)
        self.assertEqual(self.actions(), ["restart a.service"])
        self.assertTrue(os.path.lexists(os.path.join(self.root, "run/systemd/system/a.service")))
        self.assertTrue(os.path.exists(os.path.join(self.root, "proc/sys/vm/swappiness")))
        self.assertFalse(self.activate([("a.service", UNIT % "a", "1")], sysctl={"vm.swappiness": "10"})["changed"])

    def test_what_no_kept_generation_names_is_deleted(self):
        def names(folder):
            return sorted(os.listdir(os.path.join(self.base, folder)))

        package, blob, idents = [], [], []
        for i in (1, 2, 3):
            script = os.path.join(self.root, "script")
            with open(script, "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\nexit {i}\n")
            package.append(subprocess.run([PACK, f"bin/x={script}"], check=True, capture_output=True).stdout)
            blob.append(b"blob %d" % i)
            idents.append(sha256(b"id %d" % i))
            self.node.ok("tree.put", digest=sha256(package[-1]), size=len(package[-1]), rawMax=1 << 20, body=package[-1])
            self.node.ok("blob.put", digest=sha256(blob[-1]), size=len(blob[-1]), body=blob[-1])
            self.node.ok("secret.put", id=idents[-1], body=b"secret")
            files = [dict(name="s", mode="0600", uid=0, gid=0, source="secret", digest=idents[-1]),
                     dict(name="b", mode="0644", uid=0, gid=0, source="blob", digest=sha256(blob[-1]))]
            os.makedirs(os.path.join(self.root, f"srv/x{i}"))
            self.activate([("a.service", UNIT % "a", str(i))], trees=[sha256(package[-1])], owned=[f"/srv/x{i}"],
                          more_files=files)
        self.assertEqual(names("generations"), ["2", "3"])
        self.assertEqual(names("secrets"), sorted(idents[1:]))
        self.assertEqual(names("store/sha256"), sorted(sha256(b) for b in blob[1:]))
        self.assertEqual(names("tree"), sorted(sha256(p) for p in package))  # a process may still call them
        subprocess.run([NODE, "boot", "--root", self.root], check=True)
        self.assertEqual(names("tree"), sorted(sha256(p) for p in package[1:]))
        self.node.ok("reset")
        self.assertEqual(os.listdir(os.path.join(self.root, "srv")), [])  # also what only the first one owned

    def test_lost_connection_does_not_stop_it(self):
        g = self.put([("a.service", UNIT % "a" + "[X-Simulate]\nDelayMs=1200\n", "1")])
        stream = self.node.open("generation.activate", generation=g["generation"], digest=g["digest"])
        self.node.send(END, stream)
        while self.current() is None:
            time.sleep(0.01)
        self.node.process.send_signal(signal.SIGHUP)
        self.node.process.stdin.close()
        self.node.process.stdout.close()
        first = self.node.process
        self.node = Node([NODE, "serve", "--root", self.root])
        self.assertIsNone(first.poll())
        reply = self.node.ok("generation.activate", generation=g["generation"], digest=g["digest"])
        self.assertFalse(reply["changed"])  # it waited for the lock and found the work done
        self.assertEqual(first.wait(10), 0)
        self.assertFalse(self.node.ok("state")["pending"])

    def test_a_silent_caller_loses_its_lock(self):
        data = b"x" * 1000
        stream = self.node.open("blob.put", digest=sha256(data), size=len(data))
        self.node.send(DATA, stream, data[:500])  # and nothing more, no answer to a ping either
        folder = os.path.join(self.base, "store/sha256")
        while not os.path.isdir(folder) or not os.listdir(folder):
            time.sleep(0.01)
        other = Node([NODE, "serve", "--root", self.root])
        other.ok("runtime.put", name="targets", text="127.0.0.1:1\n")  # waits for the lock
        other.close()
        self.assertEqual(os.listdir(folder), [])

    def test_a_waiter_that_left_does_nothing(self):
        g = self.put([("a.service", UNIT % "a" + "[X-Simulate]\nDelayMs=1500\n", "1")])
        stream = self.node.open("generation.activate", generation=g["generation"], digest=g["digest"])
        self.node.send(END, stream)
        while self.current() is None:
            time.sleep(0.01)
        other = Node([NODE, "serve", "--root", self.root])
        waiting = other.open("generation.activate", generation=0)
        other.send(END, waiting)
        time.sleep(0.3)
        self.assertEqual(other.close(), 0)
        self.assertTrue(self.node.answer(stream).get("ok"))
        self.assertEqual(self.current(), "generations/1")

    def test_fence(self):
        g = self.put([("a.service", UNIT % "a", "1")])
        call = {"generation": g["generation"], "digest": g["digest"]}
        self.node.ok("generation.activate", epoch={"number": 5, "run": "r1"}, **call)
        self.node.ok("generation.activate", epoch={"number": 5, "run": "r1"}, **call)
        self.failure("generation.activate", "refused", epoch={"number": 4, "run": "r1"}, **call)
        self.failure("generation.activate", "refused", epoch={"number": 5, "run": "r2"}, **call)
        self.node.ok("generation.activate", epoch={"number": 6, "run": "r2"}, **call)
        self.assertEqual(self.node.ok("state")["epoch"], {"number": 6, "run": "r2"})

    def test_floor(self):
        def release(sequence, digest, back=(), root=1):
            return {"p/m": {"product": "p", "profile": "m", "channel": "stable", "version": "v1", "epoch": 0,
                            "sequence": sequence, "digest": "sha256:" + digest, "root": root,
                            "issued": "2026-01-01T00:00:00Z",
                            "rollbackTo": [{"epoch": 0, "sequence": n} for n in back]}}

        self.assertEqual(self.node.ok("state")["floors"], {})
        self.node.ok("floor.put", floors=release(4, "aa"))
        self.node.ok("floor.put", floors=release(4, "aa"))
        self.node.ok("floor.put", floors=release(6, "bb", back=[4]))
        self.assertEqual(os.stat(os.path.join(self.base, "floors")).st_mode & 0o777, 0o600)
        for bad in (release(4, "aa"), release(5, "cc"), release(6, "cc")):
            self.assertIn("E_ROLLBACK", self.failure("floor.put", "untrusted", floors=bad)["text"])
        allow = [{"epoch": 0, "sequence": 4}, {"epoch": 0, "sequence": 5}]
        self.failure("floor.put", "untrusted", floors=release(5, "cc"), allow=allow)  # 6 does not say so
        self.assertEqual(self.node.ok("state")["floors"]["p/m"]["sequence"], 6)
        self.node.ok("floor.put", floors=release(4, "aa"), allow=allow)
        self.node.ok("floor.put", floors=release(7, "dd", root=2))
        self.assertIn("E_ROOT_CHAIN", self.failure("floor.put", "untrusted", floors=release(8, "ee"))["text"])
        self.assertEqual(self.node.ok("state")["floors"], release(7, "dd", root=2))
        addon = {**release(1, "a0")["p/m"], "profile": "addon"}  # never seen, but of the product
        self.assertIn("E_ROOT_CHAIN", self.failure("floor.put", "untrusted", floors={"p/addon": addon})["text"])
        self.node.ok("floor.put", floors={"p/addon": {**addon, "root": 3}})
        self.assertEqual(self.node.ok("state")["floors"],
                         {**release(7, "dd", root=3), "p/addon": {**addon, "root": 3}})
        for wrong in ({}, {"floors": []}, {"floors": {"p/m": {}}}, {"floors": {"x": release(9, "ff")["p/m"]}}):
            self.failure("floor.put", "usage", **wrong)
        with open(os.path.join(self.base, "floors"), "w", encoding="utf-8") as f:
            f.write("{")
        state = self.node.ok("state")  # a look is possible
        self.assertEqual(state["floors"], {})
        self.assertIn("/var/lib/caisson/floors", state["floorsError"])
        self.assertIn("delete this file", self.failure("floor.put", "failed", floors=release(9, "ff"))["hint"])

    def test_to_nothing(self):
        self.activate([("a.service", UNIT % "a", "1")])
        self.node.ok("generation.activate", generation=0)
        self.assertIsNone(self.current())
        self.assertEqual(self.node.ok("state")["generation"], 0)


class Leafs(Case):
    def sign(self, csr, folder):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca", "-days", "1"],
                       cwd=folder, check=True, capture_output=True)
        return subprocess.run(["openssl", "x509", "-req", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                               "-days", "1"], cwd=folder, check=True, capture_output=True, input=csr.encode()).stdout.decode()

    def test_pair(self):
        with tempfile.TemporaryDirectory() as folder:
            csr = self.node.ok("leaf.request", name="apiserver", uid=0, gid=0)["csr"]
            first = self.sign(csr, folder)
            self.node.ok("leaf.install", name="apiserver", certificate=first, description={"san": ["x"]})
            link = os.path.join(self.base, "pki/apiserver")
            before = os.readlink(link)
            self.assertEqual(os.stat(os.path.join(link, "tls.key")).st_mode & 0o777, 0o600)
            csr = self.node.ok("leaf.request", name="apiserver")["csr"]
            self.assertEqual(os.readlink(link), before)  # a request alone changes nothing
            self.failure("leaf.install", "refused", name="apiserver", certificate=first)
            second = self.sign(csr, folder)
            self.node.ok("leaf.install", name="apiserver", certificate=second, description={"san": ["y"]})
            self.assertNotEqual(os.readlink(link), before)
            self.assertEqual(sorted(os.listdir(os.path.join(self.base, "pki"))), [os.readlink(link), "apiserver"])
            leaf = self.node.ok("state")["leafs"]["apiserver"]
            self.assertEqual(leaf["description"], {"san": ["y"]})
            self.assertGreater(leaf["notAfter"], time.time())
            self.failure("leaf.install", "untrusted", name="other", certificate=second)
            self.failure("leaf.install", "untrusted", name="other", certificate="nonsense")
            self.failure("leaf.request", "usage", name="../x")


class Rest(Case):
    def test_runtime_and_images(self):
        self.node.ok("runtime.put", name="targets", text="127.0.0.1:1\n", mode="0644")
        self.failure("runtime.put", "usage", name="a/b", text="")
        self.node.ok("image.recorded", names=["a@sha256:1", "b"])
        self.node.ok("image.recorded", names=["b", "c"])
        state = self.node.ok("state")
        self.assertEqual(state["runtime"], {"targets": sha256(b"127.0.0.1:1\n")})
        self.assertEqual(state["images"], ["a@sha256:1", "b", "c"])

    def test_reading_makes_nothing(self):
        self.node.ok("state")
        self.node.ok("facts", paths=["/etc", "/nowhere"], tools=["sh"], ports=[1])
        self.node.ok("store.have", trees=["x"])
        self.assertEqual(os.listdir(self.root), [])

    def test_facts(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            facts = self.node.ok("facts", ports=[port, 1])
            self.assertEqual(list(facts["portsInUse"]), [str(port)])
            self.assertTrue(facts["portsInUse"][str(port)].startswith("python"))

    def test_dial(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            stream = self.node.open("dial", port=s.getsockname()[1])
            self.assertTrue(self.node.answer(stream)["ok"])
            peer, _ = s.accept()
            self.node.send(DATA, stream, b"ping")
            self.assertEqual(peer.recv(10), b"ping")
            peer.sendall(b"pong")
            kind, of, payload = self.node.read()
            self.assertEqual((kind, of, payload), (DATA, stream, b"pong"))
            self.node.send(END, stream)
            self.assertEqual(peer.recv(10), b"")
            peer.close()
            self.assertEqual(self.node.read()[:2], (END, stream))
        self.failure("dial", "refused", address="192.0.2.1", port=80)
        self.failure("dial", "unreachable", port=1)

    def test_reset(self):
        for path in ("var/lib/etcd/member", "var/lib/other", "etc/cni/net.d", "opt/theirs"):
            os.makedirs(os.path.join(self.root, path))
        self.activate([("a.service", UNIT % "a", "1")], owned=["/var/lib/etcd"])
        units = os.path.join(self.root, "run/systemd/system")
        with open(os.path.join(units, "theirs.service"), "w", encoding="utf-8"):
            pass
        for path in ("/var/lib", "/", "/etc", "/usr", "relative", "/var/lib/../x"):
            self.assertIn("error", self.node.call("reset", owned=[path]))
        self.assertIsNotNone(self.current())
        reply = self.node.ok("reset", owned=["/etc/cni"], interfaces=["cni0"])
        self.assertEqual(reply["stopped"], ["a.service"])
        for path in ("var/lib/etcd", "etc/cni", "var/lib/caisson", "run/caisson",
                     "etc/systemd/system/caisson-boot.service"):
            self.assertFalse(os.path.lexists(os.path.join(self.root, path)), path)
        for path in ("var/lib/other", "opt/theirs"):
            self.assertTrue(os.path.isdir(os.path.join(self.root, path)), path)
        self.assertEqual(os.listdir(units), ["theirs.service"])
        self.assertEqual(self.node.ok("state")["generation"], 0)
        self.node.ok("reset")  # twice is fine
        self.activate([("a.service", UNIT % "a", "1")])

    def test_reset_gives_settings_back(self):
        folder = os.path.join(self.root, "proc/sys/net/ipv4")
        os.makedirs(folder)
        path = os.path.join(folder, "ip_forward")
        with open(path, "w", encoding="utf-8") as f:
            f.write("0\n")

        def value():
            with open(path, encoding="utf-8") as f:
                return f.read().strip()

        for wanted in ("1", "2"):  # only what was before the first change counts
            self.activate([("a.service", UNIT % "a", wanted)], sysctl={"net.ipv4.ip_forward": wanted})
            self.assertEqual(value(), wanted)
        self.node.ok("reset")
        self.assertEqual(value(), "0")

    def test_nonsense(self):
        self.failure("nothing", "usage")
        self.node.record(1, 50, b"no json")
        self.assertEqual(self.node.answer(50)["error"]["kind"], "usage")
        self.node.last_id = 50
        self.node.ok("hello")
        self.node.send(REPLY, 99, b"{}")  # on a stream nobody opened: the connection ends
        with self.assertRaises(Gone):
            while True:
                self.node.read()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
