"""File server with faults, on loopback. A path is /MODE/NAME: NAME below FOLDER/files, served as MODE says.

usage: files.py FOLDER    prints the ports: plain, TLS, TLS under a wrong name, proxy that wants a password, proxy
Every request is a line in FOLDER/log: PORT METHOD PATH range=... if-range=... authorization=...
"""
import http.server
import os
import select
import socket
import ssl
import sys
import threading

folder = sys.argv[1]
lock = threading.Lock()
seen = {}  # requests for each path
END = b"0\r\n\r\n"


# answers to "bytes=0-9" that are none
ODD = ["bytes", "bytes 0-9", "bytes 0-9/*", "bytes */300000", "bytes 9-0/300000", "bytes 0-9/5", "bytes -0-9/300000",
       "bytes 0-9/300000,", "items 0-9/300000", "bytes 0-9/99999999999999999999", "bytes  0-9/300000", "bytes 0-8/300000",
       "bytes 0-10/300000", "bytes 1-10/300000", "bytes 0x0-9/300000", "bytes 0-9/300000 x", "bytes +0-9/300000", ""]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def address_string(self):
        return "local"

    def note(self):
        heads = " ".join(f"{n}={self.headers.get(n, '-')}" for n in ("range", "if-range", "authorization"))
        with lock:
            with open(os.path.join(folder, "log"), "a", encoding="utf-8") as log:
                log.write(f"{self.server.label} {self.command} {self.path} {heads}\n")
            seen[self.path] = seen.get(self.path, 0) + 1
            return seen[self.path]

    def heads(self, status, length=None, **more):
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status, body=b"", **more):
        self.heads(status, len(body), **more)
        self.wfile.write(body)

    def hang_up(self):
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def wait_for_peer(self):
        """Until the other side closes; nothing is sent meanwhile."""
        self.wfile.flush()
        select.select([self.connection], [], [])
        self.close_connection = True

    def drip(self, data, size):
        """Until the other side closes, SIZE bytes at a time."""
        for at in range(0, len(data), size):
            self.wfile.write(data[at:at + size])
            self.wfile.flush()
            if select.select([self.connection], [], [], 0.05)[0]:
                break
        self.close_connection = True

    def asked(self, size):
        """The range that is asked for, as begin and end; None for another form."""
        text = self.headers.get("Range", "")
        if not text.startswith("bytes="):
            return None
        first, _, last = text[6:].partition("-")
        return int(first), min(int(last) + 1, size) if last else size

    def send(self, data, mode, etag, skew=0, total=0):
        """The range, or all of it when the file is not the one that If-Range means."""
        same = self.headers.get("If-Range") in (None, etag) or mode == "ignores"
        wanted = self.asked(len(data)) if same else None
        more = {"ETag": etag} if etag else {}
        if wanted is None:
            begin, end = 0, len(data)
            self.heads(200, len(data), Accept_Ranges="bytes", **more)
        elif wanted[0] >= len(data):
            self.answer(416, b"no such bytes", Content_Range=f"bytes */{len(data)}")
            return
        else:
            begin, end = wanted
            self.heads(206, end - begin, Accept_Ranges="bytes",
                       Content_Range=f"bytes {begin + skew}-{end - 1 + skew}/{len(data) + total}", **more)
        if mode.startswith("cut"):
            self.wfile.write(data[begin:min(end, begin + int(mode[3:]))])
            if begin + int(mode[3:]) < end:
                self.hang_up()
        elif mode == "stall":
            self.wfile.write(data[begin:begin + 1000])
            self.wait_for_peer()
        elif mode in ("drip", "slow"):
            self.drip(data[begin:end], 1 if mode == "drip" else 25)
        else:
            self.wfile.write(data[begin:end])

    def chunked(self, data, endless):
        self.heads(200, Transfer_Encoding="chunked")
        while True:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if not endless:
                break
        self.wfile.write(END)

    def serve(self, mode, data, count):
        if mode in ("ok", "stall", "drip", "slow", "ignores") or mode.startswith("cut"):
            self.send(data, mode, '"one"')
        elif mode == "mirror":
            self.send(data, "ok", '"mirror"')
        elif mode == "mute":
            self.wait_for_peer()
        elif mode == "noetag":
            self.send(data, mode, None)
        elif mode == "noetagcut":
            self.send(data, "cut50000", None)
        elif mode == "weak":
            self.send(data, mode, 'W/"one"')
        elif mode == "norange":
            self.answer(200, data, ETag='"one"')
        elif mode == "norangecut":
            self.heads(200, len(data), ETag='"one"')
            self.wfile.write(data[:len(data) // 2])
            self.hang_up()
        elif mode == "skewed":
            self.send(data, mode, '"one"', skew=1)
        elif mode == "changes":  # cut, then another version
            self.send(data, "cut50000" if count == 1 else "ok", '"one"' if count == 1 else '"two"')
        elif mode == "mixes":  # the same, and If-Range is not looked at
            self.send(data, "cut50000" if count == 1 else "ignores", '"one"' if count == 1 else '"two"')
        elif mode == "replaced":  # another version from the second request on
            self.send(data, "ok", '"one"' if count == 1 else '"two"')
        elif mode == "forgets":  # its ETag, and If-Range is not looked at
            self.send(data, "cut50000" if count % 2 == 1 else "ignores", '"one"' if count % 2 == 1 else None)
        elif mode == "grows":
            self.send(data, "cut50000" if count == 1 else "ok", '"one"', total=count - 1)
        elif mode == "odd":
            self.answer(206, data[:10], Content_Range=ODD[(count - 1) % len(ODD)])
        elif mode == "multipart":
            self.answer(206, data[:10], Content_Type="multipart/byteranges; boundary=x")
        elif mode == "longer":
            self.answer(200, data + b"more")
        elif mode == "chunked":
            self.chunked(data, False)
        elif mode == "chunkedlonger":
            self.chunked(data + b"more", False)
        elif mode == "chunkedshorter":
            self.chunked(data[:-4], False)
        elif mode == "endless":
            self.chunked(b"x" * 65536, True)
        elif mode == "gzip":
            self.answer(200, data, Content_Encoding="gzip")
        elif mode == "busy":  # twice
            if count <= 2:
                self.answer(503, b"busy", Retry_After="0")
            else:
                self.send(data, "ok", '"one"')
        elif mode == "closed":
            self.answer(503, b"closed", Retry_After="3600")
        elif mode == "wrong":
            self.send(bytes(len(data)), "ok", '"zeros"')
        elif mode == "tofile":
            self.answer(302, b"there", Location="file:///etc/passwd")
        elif mode == "circle":
            self.answer(302, b"there", Location=self.path)
        else:
            self.answer(404, b"x" * 100000)

    def do_GET(self):
        count = self.note()
        if self.path.startswith("/to/"):  # /to/SCHEME/HOST:PORT/path
            _, _, scheme, rest = self.path.split("/", 3)
            self.answer(302, b"there", Location=f"{scheme}://{rest}")
            return
        _, mode, name = self.path.split("/", 2)
        try:
            with open(os.path.join(folder, "files", name), "rb") as f:
                data = f.read()
        except FileNotFoundError:
            self.answer(404, b"no such file")
            return
        self.serve(mode, data, count)


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self):
        with lock, open(os.path.join(folder, "log"), "a", encoding="utf-8") as log:
            log.write(f"{self.server.label} {self.command} {self.path}\n")

    def refuse(self):
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.note()
        self.refuse()

    def do_CONNECT(self):
        self.note()
        if self.server.label == "refusing":
            self.refuse()
            return
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    ends[end].sendall(data)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # clients that hang up are what many tests are about


def serve(label, handler, cert=None):
    server = Server(("127.0.0.1", 0), handler)
    server.label = label
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(folder, cert + ".pem"), os.path.join(folder, cert + ".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


os.makedirs(os.path.join(folder, "files"), exist_ok=True)
print(serve("plain", Handler), serve("secure", Handler, "server"), serve("misnamed", Handler, "client"),
      serve("refusing", Proxy), serve("proxy", Proxy), flush=True)
threading.Event().wait()
