"""A small client of the frame protocol, written apart from installer/wire on purpose."""
import hashlib
import json
import struct
import subprocess

REQUEST, DATA, END, WINDOW, REPLY, EVENT, RESET, PING, PONG = range(1, 10)
MORE = 0x80
CHUNK = 65536


class Gone(Exception):
    pass


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Node:
    def __init__(self, argv, **kw):
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, **kw)
        self.last_id = 0

    def send(self, kind, stream, payload=b""):
        frame = struct.pack(">BII", kind, stream, len(payload)) + payload
        try:
            while frame:
                frame = frame[self.process.stdin.write(frame):]
        except BrokenPipeError as e:
            raise Gone from e

    def record(self, kind, stream, data):
        for at in range(0, len(data), CHUNK):
            self.send(kind | (MORE if at + CHUNK < len(data) else 0), stream, data[at:at + CHUNK])

    def exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.process.stdout.read(n - len(data))
            if not piece:
                raise Gone
            data += piece
        return data

    def read(self):
        kind, stream, n = struct.unpack(">BII", self.exactly(9))
        return kind, stream, self.exactly(n)

    def open(self, op, **fields):
        self.last_id += 1
        self.record(REQUEST, self.last_id, json.dumps(dict(fields, op=op)).encode())
        return self.last_id

    def answer(self, stream, events=None):
        parts = b""
        while True:
            kind, of, payload = self.read()
            if kind == PING:
                self.send(PONG, 0)
            if of != stream or kind & ~MORE not in (REPLY, EVENT):
                continue
            parts += payload
            if kind & MORE:
                continue
            value, parts = json.loads(parts), b""
            if kind == REPLY:
                return value
            if events is not None:
                events.append(value)

    def call(self, op, body=b"", events=None, **fields):
        stream = self.open(op, **fields)
        assert len(body) <= 1 << 20, "this client does not wait for credit"
        for at in range(0, len(body), CHUNK):
            self.send(DATA, stream, body[at:at + CHUNK])
        self.send(END, stream)
        return self.answer(stream, events)

    def ok(self, op, **kw):
        reply = self.call(op, **kw)
        assert reply.get("ok"), f"{op}: {reply}"
        return reply

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(20)


def manifest(units=(), files=(), more_files=(), **more):
    """A manifest and the texts that go with it; units: (name, text, inputs), files: (name, text), or as in a manifest."""
    texts, m = {}, {"schema": 1, "cluster": "test", "node": "n1", "units": [], "files": []}
    for name, text, inputs in units:
        texts[sha256(text.encode())] = text
        m["units"].append({"name": name, "digest": sha256(text.encode()), "inputs": sha256(inputs.encode()),
                           "enabled": True, "ready": {"type": "active", "seconds": 0}, "startDeadlineMs": 3000})
    for name, text in files:
        texts[sha256(text.encode())] = text
        m["files"].append({"name": name, "mode": "0640", "uid": 0, "gid": 0, "source": "inline",
                           "digest": sha256(text.encode())})
    m["files"].extend(more_files)
    m.update(more)
    return m, texts
