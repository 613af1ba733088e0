"""Letters as they are written in the world: Chinese charsets, RFC 2047 and 2231 names, parts in parts; and what a reader must see of each."""

import base64
import quopri
import random
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes


@dataclass
class Letter:
    subject: str
    sender: str
    octets: bytes  # CRLF form, ready to be sent
    text: list  # what must be read in it
    attachments: list = field(default_factory=list)  # (name, octets)


def word(text, charset, how="B"):
    """An encoded word, RFC 2047."""
    octets = text.encode(charset)
    encoded = base64.b64encode(octets).decode() if how == "B" else "".join(f"={octet:02X}" for octet in octets)
    return f"=?{charset}?{how}?{encoded}?="


def wrapped(octets):
    return base64.encodebytes(octets).decode().replace("\n", "\r\n")


def letter(subject, sender, shown, raw_sender, raw_subject, rest, text, attachments=()):
    head = f"From: {raw_sender} <{sender}>\r\nTo: alice@example.test\r\nSubject: {raw_subject}\r\nDate: Tue, 24 Nov 2026 08:00:00 +0800\r\nMIME-Version: 1.0\r\n"
    return Letter(subject, f"{shown} <{sender}>", head.encode() + rest, text, list(attachments))


def gb18030():
    """As Foxmail writes: the name of the attachment as an encoded word; characters of two and of four octets."""
    subject, name, text = "季度报表（修订）", "王小明", "附件是第三季度的报表，请查收。㐂𠮷 – 谢谢！"
    file, octets = "报表㐂.xls", random.Random(1).randbytes(70_001)
    body = (
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\nThis is a multi-part message in MIME format.\r\n--b\r\n'
        'Content-Type: text/plain; charset="GB18030"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + wrapped(text.encode("gb18030"))
        + f'--b\r\nContent-Type: application/octet-stream; name="{word(file, "GB18030")}"\r\nContent-Transfer-Encoding: base64\r\n'
        + f'Content-Disposition: attachment; filename="{word(file, "GB18030")}"\r\n\r\n'
        + wrapped(octets)
        + "--b--\r\n"
    )
    return letter(subject, "wang@example.net", name, word(name, "GB18030"), word(subject, "GB18030"), body.encode(), [text], [(file, octets)])


def big5():
    """Quoted-printable, and encoded words of the kind Q."""
    subject, name, text = "會議通知", "陳大文", "各位同事：\n下週三下午三時開會，請準時出席。"
    octets = quopri.encodestring(text.encode("big5")).replace(b"\n", b"\r\n")
    body = b"Content-Type: text/plain; charset=big5\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + octets + b"\r\n"
    return letter(subject, "chan@example.net", name, word(name, "big5", "Q"), word(subject, "big5", "Q"), body, text.split("\n"))


def utf8():
    """Alternatives, a picture within the HTML, a name in pieces and one in percent signs (RFC 2231), a message in the message."""
    subject, name, text = "Fwd: 出差安排 – Zürich", "李雷 (Lei Li)", "行程在附件里：上海 → 苏黎世。"
    html = "<html><body><p>行程在附件里：<b>上海 → 苏黎世</b>。</p><img src='cid:dot'></body></html>"
    picture = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
    pieces, percent, octets = "机票 Flugschein & Rechnung.pdf", "旅馆.txt", "旅馆：湖边，三晚。\r\n".encode()
    first, second = quote_from_bytes("机票 Flug".encode()), quote_from_bytes("schein & Rechnung.pdf".encode())
    inner = "From: han@example.net\r\nSubject: inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n内层的信\r\n"
    body = (
        'Content-Type: multipart/mixed; boundary="=_1"\r\n\r\n--=_1\r\nContent-Type: multipart/alternative; boundary="=_2"\r\n\r\n'
        f"--=_2\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
        '--=_2\r\nContent-Type: multipart/related; boundary="=_3"\r\n\r\n'
        f"--=_3\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{html}\r\n"
        "--=_3\r\nContent-Type: image/gif\r\nContent-ID: <dot>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{wrapped(picture)}--=_3--\r\n--=_2--\r\n"
        f"--=_1\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename*0*=UTF-8''{first};\r\n"
        f" filename*1*={second}\r\n\r\n{wrapped(octets * 3)}"
        "--=_1\r\nContent-Type: text/plain; charset=GB18030\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n"
        f" filename*=GB18030''{quote_from_bytes(percent.encode('gb18030'))}\r\n\r\n{wrapped(octets)}"
        f"--=_1\r\nContent-Type: message/rfc822\r\nContent-Disposition: attachment; filename=inner.eml\r\n\r\n{inner}--=_1--\r\n"
    )
    attachments = [(pieces, octets * 3), (percent, octets), ("inner.eml", inner.encode())]
    return letter(subject, "li@example.net", name, word(name, "UTF-8"), word(subject, "UTF-8"), body.encode(), ["上海 → 苏黎世"], attachments)


def large():
    """Two megabytes in one attachment, and lines of text that begin with dots."""
    octets = random.Random(2).randbytes(2_000_003)
    text = ["first line", ".a dot", "..two dots", "From the start"]
    body = (
        'Content-Type: multipart/mixed; boundary="large"\r\n\r\n--large\r\nContent-Type: text/plain\r\n\r\n' + "\r\n".join(text) + "\r\n"
        "--large\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=large.bin\r\n\r\n"
        + wrapped(octets)
        + "--large--\r\n"
    )
    return letter("large", "someone@example.net", "Someone", "Someone", "large", body.encode(), text, [("large.bin", octets)])


def all_letters():
    return [gb18030(), big5(), utf8(), large()]
