"""The balancer, with real sockets."""
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

    def start(self, *targets):
        self.targets(*targets)
        self.process = subprocess.Popen([NODE, "lb", "--targets", self.file, "--listen", f"127.0.0.1:{self.port}"],
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
