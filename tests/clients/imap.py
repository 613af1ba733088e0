"""imaplib does a day's work on alice's mail: folders, append, flags, search, copy, expunge; over both kinds of TLS."""

import imaplib
import time

from house import Demo, ok, text_of

demo = Demo()


def message(subject, body="hello\r\n"):
    return f"From: alice@example.test\r\nTo: alice@example.test\r\nSubject: {subject}\r\n\r\n{body}".encode()


# No password in clear.
plain = imaplib.IMAP4(demo.host, demo.ports["imap"])
assert "LOGINDISABLED" in plain.capabilities and "STARTTLS" in plain.capabilities, plain.capabilities
try:
    plain.login(*demo.alice)
    raise SystemExit("a password was taken in clear")
except imaplib.IMAP4.error:
    pass
plain.logout()

for starttls in (False, True):
    imap = demo.imap(demo.alice, starttls)
    folder = f"Work {int(starttls)}"
    quoted = f'"{folder}"'

    # Folders; one with a name that is written in modified UTF-7.
    ok(imap.create(quoted))
    ok(imap.create(f'"{folder}/Below"'))
    ok(imap.subscribe(quoted))
    ok(imap.create('"Entw&APw-rfe %d"' % starttls))
    listed = b"\n".join(ok(imap.list())).decode()
    assert folder in listed and f"{folder}/Below" in listed and "INBOX" in listed and "Entw&APw-rfe" in listed, listed
    assert folder in b"\n".join(ok(imap.lsub())).decode()
    assert imap.create(quoted)[0] == "NO", "a folder was made twice"

    # Append: flags, the date, the bytes.
    when = imaplib.Time2Internaldate(1_000_000_000)
    large = message("large", "".join(f"line {n} of the large one\r\n" for n in range(40_000)))
    ok(imap.append(quoted, r"(\Seen $Forwarded own)", when, message("one")))
    ok(imap.append(quoted, "", when, large))
    ok(imap.append(quoted, "", when, message("three", "caf\u00e9\r\n.\r\n..dots\r\nFrom the start\r\n")))
    assert ok(imap.select(quoted)) == [b"3"]
    assert text_of(imap.fetch("2", "(BODY.PEEK[])")) == [large]
    assert text_of(imap.fetch("3", "(BODY.PEEK[TEXT])")) == ["caf\u00e9\r\n.\r\n..dots\r\nFrom the start\r\n".encode()]
    assert text_of(imap.fetch("2", "(BODY.PEEK[]<100.50>)")) == [large[100:150]]
    assert text_of(imap.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")) == [b"Subject: one\r\n\r\n"]
    (first,) = ok(imap.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))
    for word in (rb"\Seen", b"$Forwarded", b"own", b'"one"', b"RFC822.SIZE %d" % len(message("one")), b'"text" "plain"'):
        assert word.lower() in first.lower(), (word, first)
    assert time.mktime(imaplib.Internaldate2tuple(first)) == 1_000_000_000, first

    # Flags, search.
    ok(imap.store("2", "+FLAGS", r"(\Flagged)"))
    assert ok(imap.search(None, "FLAGGED")) == [b"2"]
    assert ok(imap.search(None, "UNSEEN")) == [b"2 3"]
    assert ok(imap.search(None, "SUBJECT", "three")) == [b"3"]
    assert ok(imap.search(None, "BODY", '"line 39999 of"')) == [b"2"]
    assert ok(imap.search(None, "KEYWORD", "own")) == [b"1"]
    assert ok(imap.search(None, "LARGER", "100000", "SENTSINCE", "1-Jan-1990"))[0] in (b"", b"2")
    assert ok(imap.sort("(REVERSE SIZE SUBJECT)", "UTF-8", "ALL")) == [b"2 3 1"]
    assert ok(imap.thread("ORDEREDSUBJECT", "UTF-8", "ALL")) == [b"(1)(2)(3)"]
    ok(imap.store("1", "-FLAGS", "own"))
    assert ok(imap.search(None, "KEYWORD", "own")) == [b""]

    # Copy, expunge, and the count elsewhere.
    ok(imap.copy("1:2", f'"{folder}/Below"'))
    ok(imap.store("1:2", "+FLAGS", r"(\Deleted)"))
    told = ok(imap.expunge())
    assert told in ([b"1", b"1"], [b"2", b"1"]), told
    assert ok(imap.search(None, "ALL")) == [b"1"]
    status = ok(imap.status(f'"{folder}/Below"', "(MESSAGES UNSEEN UIDNEXT)"))[0]
    assert b"MESSAGES 2" in status and b"UNSEEN 1" in status and b"UIDNEXT 3" in status, status
    ok(imap.select(f'"{folder}/Below"', readonly=True))
    assert text_of(imap.uid("FETCH", "2", "(BODY.PEEK[])")) == [large]
    (flags,) = ok(imap.fetch("2", "(FLAGS)"))
    assert rb"\Flagged" in flags, flags

    # Rename, delete.
    ok(imap.close())
    ok(imap.rename(f'"{folder}/Below"', f'"{folder}/Under"'))
    assert b"MESSAGES 2" in ok(imap.status(f'"{folder}/Under"', "(MESSAGES)"))[0]
    ok(imap.delete(f'"{folder}/Under"'))
    assert imap.select(f'"{folder}/Under"')[0] == "NO"
    imap.logout()
