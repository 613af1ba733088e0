"""COMPRESS=DEFLATE as zlib speaks it (RFC 4978): over TLS, after the login, once; mail in and out; IDLE; and what is no DEFLATE."""

import collections
import re
import socket
import zlib

from house import Demo

demo = Demo()


class Line:
    """One connection, in clear and then compressed; reads with its own zlib."""

    def __init__(self):
        stream = socket.create_connection((demo.host, demo.ports["imaps"]), timeout=60)
        self.stream = demo.tls.wrap_socket(stream, server_hostname=demo.host)
        self.ours = self.theirs = None
        self.read, self.lines = b"", collections.deque()
        greeting = self.line()
        assert greeting.startswith(b"* OK") and b"COMPRESS" not in greeting, greeting
        login = self.ask('a LOGIN "%s" "%s"' % demo.bob)
        assert b"a OK" in login and b"COMPRESS=DEFLATE" in login, login

    def compress(self):
        answer = self.ask("b COMPRESS DEFLATE")
        assert answer.startswith(b"b OK"), answer
        self.ours, self.theirs = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def send(self, octets, flush=zlib.Z_SYNC_FLUSH):
        if self.ours:
            octets = self.ours.compress(octets) + self.ours.flush(flush)
        self.stream.sendall(octets)

    def more(self):
        octets = self.stream.recv(65536)
        self.read += self.theirs.decompress(octets) if self.theirs else octets
        return octets != b""

    def line(self):
        while not self.lines:
            assert self.more(), self.read
            *lines, self.read = self.read.split(b"\r\n")
            self.lines.extend(line + b"\r\n" for line in lines)
        return self.lines.popleft()

    def ask(self, command):
        """Everything up to the tagged answer."""
        tag = command.split(" ")[0].encode()
        self.send(command.encode() + b"\r\n")
        lines = [self.line()]
        while not re.match(rb"%s (OK|NO|BAD) " % tag, lines[-1]):
            lines.append(self.line())
        return b"".join(lines)

    def rest(self):
        """What the server says until it hangs up."""
        while self.more():
            pass
        return b"".join(self.lines) + self.read


line = Line()
assert line.ask("c COMPRESS GZIP").startswith(b"c BAD")
line.compress()
assert line.ask("d COMPRESS DEFLATE").startswith(b"d NO [COMPRESSIONACTIVE]")
assert b"COMPRESS" not in line.ask("e CAPABILITY")

# Mail in and out, larger than any buffer: text that shrinks, and octets that do not.
text = b"Subject: compressed\r\n\r\n" + b"".join(b"%d bottles of the same beer on the wall\r\n" % n for n in range(20000))
noise = b"Subject: noise\r\n\r\n" + b"".join(zlib.crc32(b"%d" % n).to_bytes(4, "big").hex().encode() + b"\r\n" for n in range(20000))
for message in (text, noise):
    line.send(b"f APPEND INBOX {%d}\r\n" % len(message))
    assert line.line().startswith(b"+ ")
    line.send(message + b"\r\n")
    while not (answer := line.line()).startswith(b"f "):
        pass
    assert answer.startswith(b"f OK"), answer
count = int(re.search(rb"\* (\d+) EXISTS", line.ask("g SELECT INBOX"))[1])
for number, message in ((count - 1, text), (count, noise)):
    assert message in line.ask("h FETCH %d (BODY.PEEK[])" % number)

# A client that cuts its stream anywhere is understood.
wire = line.ours.compress(b"i NOOP\r\n") + line.ours.flush(zlib.Z_FULL_FLUSH)
for octet in wire:
    line.stream.sendall(bytes([octet]))
assert line.line().startswith(b"i OK")

# Told in IDLE: what is said is flushed, whatever rests meanwhile.
line.send(b"j IDLE\r\n")
assert line.line().startswith(b"+ ")
smtp = demo.submit(demo.alice)
for n in (1, 2):
    smtp.sendmail(demo.alice[0], [demo.bob[0]], "Subject: you are told\r\n\r\nat once\r\n")
    while line.line() != b"* %d EXISTS\r\n" % (count + n):
        pass
smtp.quit()
line.send(b"DONE\r\n")
while not (answer := line.line()).startswith(b"j "):
    pass
assert answer.startswith(b"j OK"), answer
assert b"k OK" in line.ask("k LOGOUT")

# In clear after all: no DEFLATE. And a stream that was ended.
for last in (b"l NOOP, in clear\r\n", None):
    line = Line()
    line.compress()
    if last:
        line.stream.sendall(last)
    else:
        line.send(b"l NOOP\r\n", zlib.Z_FINISH)
    said = line.rest()
    assert b"* BYE" in said and (last or said.startswith(b"l OK")), said
