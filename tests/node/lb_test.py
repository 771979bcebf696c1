"""The balancer, with real sockets."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

NODE = sys.argv[1]


class Target:
    """Echoes, with its own letter in front of every piece."""

    def __init__(self, letter, port=0):
        self.letter = letter.encode()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        self.peers = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self.echo, args=(peer,), daemon=True).start()

    def echo(self, peer):
        try:
            while data := peer.recv(65536):
                peer.sendall(self.letter + data)
            peer.sendall(b"bye")
            peer.close()
        except OSError:
            pass

    def silence(self):
        """Takes no new connections, as a machine without power: the open ones stay open and say nothing."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class ApiServer:
    """Answers one request a connection over TLS: /readyz as `ready` says, anything else with its own letter."""

    def __init__(self, letter, folder):
        self.letter, self.ready = letter, True
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key"))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            peer, _ = self.socket.accept()
            threading.Thread(target=self.answer, args=(peer,), daemon=True).start()

    def answer(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as peer:
                path = peer.recv(4096).split(b" ")[1]
                while path == b"/readyz" and self.ready is None:  # hangs
                    time.sleep(0.1)
                code = "200 OK" if path != b"/readyz" or self.ready else "500 Internal Server Error"
                peer.sendall(f"HTTP/1.1 {code}\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{self.letter}".encode())
                peer.unwrap()  # the balancer takes no answer that may have been cut short
        except (OSError, IndexError):
            pass


def make_certificate(folder):
    """A certificate for 127.0.0.1 that is its own authority: tls.crt, tls.key."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=api", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", os.path.join(folder, "tls.key"),
                    "-out", os.path.join(folder, "tls.crt")], check=True, capture_output=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Balancer(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="caisson-lb-")
        self.file = os.path.join(self.folder, "targets")
        self.port = free_port()
        self.process = None

    def tearDown(self):
        if self.process:
            self.process.terminate()
            self.assertEqual(self.process.wait(10), 0)
        shutil.rmtree(self.folder)

    def targets(self, *targets):
        with open(self.file + ".new", "w", encoding="utf-8") as f:
            f.write("# targets\n" + "".join(f"127.0.0.1:{t.port}\n" for t in targets))
        os.rename(self.file + ".new", self.file)

    def start(self, *targets, options=()):
        self.targets(*targets)
        self.process = subprocess.Popen([NODE, "lb", "--targets", self.file, "--listen", f"127.0.0.1:{self.port}", *options],
                                        stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return s

    def ask(self):
        with self.connect() as s:
            s.sendall(b"?")
            return s.recv(10)

    def ask_or_reset(self):
        try:
            return self.ask()
        except ConnectionResetError:  # just as its target left the list
            return None

    def ask_api(self):
        context = ssl.create_default_context(cafile=os.path.join(self.folder, "tls.crt"))
        with context.wrap_socket(self.connect(), server_hostname="127.0.0.1") as s:
            s.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            return s.recv(4096).decode()[-1:]

    def answers(self):
        found = set()
        for _ in range(8):
            try:
                found.add(self.ask_api())
            except (ConnectionError, ssl.SSLError):  # just as its target was found dead
                found.add("reset")
        return found

    def wait_answers(self, wanted):
        deadline = time.monotonic() + 30
        while (found := self.answers()) != wanted:
            self.assertLess(time.monotonic(), deadline, f"{found} answer, not {wanted}")
            time.sleep(0.2)

    def test_readyz_decides(self):
        """A server that is not ready, hangs, or shows another authority's certificate gets no connection."""
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        make_certificate(self.folder)
        make_certificate(other)
        a, b, stranger = ApiServer("a", self.folder), ApiServer("b", self.folder), ApiServer("s", other)
        self.start(a, b, stranger, options=("--ca", os.path.join(self.folder, "tls.crt")))
        self.wait_answers({"a", "b"})
        a.ready = False
        self.wait_answers({"b"})
        a.ready = True
        self.wait_answers({"a", "b"})
        b.ready = None
        self.wait_answers({"a"})

    def test_spreads_and_carries(self):
        a, b = Target("a"), Target("b")
        self.start(a, b)
        self.assertEqual({self.ask() for _ in range(8)}, {b"a?", b"b?"})
        data = os.urandom(3_000_000)
        with self.connect() as s:
            threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
            got = 0
            tail = b""
            while piece := s.recv(65536):
                got += len(piece)
                tail = (tail + piece)[-3:]
        self.assertGreaterEqual(got, len(data))
        self.assertEqual(tail, b"bye")  # what the target says behind our end of file arrives

    def test_dead_target_resets_its_connections(self):
        a, b = Target("a"), Target("b")
        self.start(a, b)
        mine = None
        while mine is None:
            s = self.connect()
            s.sendall(b"?")
            if s.recv(10) == b"a?":
                mine = s
            else:
                s.close()
        a.silence()
        begun = time.monotonic()
        with self.assertRaises(ConnectionResetError):
            mine.recv(10)
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual({self.ask() for _ in range(6)}, {b"b?"})
        back = Target("a", a.port)
        time.sleep(3)
        self.assertEqual({self.ask() for _ in range(6)}, {b"a?", b"b?"})
        back.socket.close()

    def test_unreachable_target_is_skipped_at_once(self):
        a = Target("a")
        dead = Target("d")
        dead.silence()
        self.start(dead, a)
        for _ in range(6):
            self.assertEqual(self.ask(), b"a?")

    def test_new_file_is_used(self):
        a, b = Target("a"), Target("b")
        self.start(a)
        old = self.connect()
        old.sendall(b"?")
        self.assertEqual(old.recv(10), b"a?")
        self.targets(b)
        deadline = time.monotonic() + 5
        while self.ask_or_reset() != b"b?":
            self.assertLess(time.monotonic(), deadline)
        with self.assertRaises(ConnectionResetError):
            old.recv(10)
        with open(self.file, "w", encoding="utf-8") as f:
            f.write("not an address\n")
        time.sleep(1.5)
        self.assertEqual(self.ask(), b"b?")  # a bad file changes nothing

    def test_socket_from_systemd(self):
        a = Target("a")
        self.targets(a)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(50)
            self.port = listener.getsockname()[1]

            for _ in range(2):  # the second one takes over: nobody is refused between them
                waiting = self.connect()
                waiting.sendall(b"?")
                # The pid must be the balancer's own: the shell becomes it.
                process = subprocess.Popen(
                    ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" lb --targets "$1"', NODE, self.file],
                    preexec_fn=lambda: os.dup2(listener.fileno(), 3), close_fds=False, stderr=subprocess.DEVNULL)
                self.assertEqual(waiting.recv(10), b"a?")
                waiting.close()
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(10), 0)
        self.assertNotEqual(subprocess.run([NODE, "lb", "--targets", self.file], capture_output=True,
                                           check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
