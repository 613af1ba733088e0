"""imapclient does a day's work on bob's mail: folders, append, search, flags, copy, move, IDLE."""

import datetime

import imapclient

from house import Demo

demo = Demo()
imap = imapclient.IMAPClient(demo.host, demo.ports["imaps"], ssl_context=demo.tls, timeout=60)
imap.login(*demo.bob)
assert imap.namespace().personal == (("", "/"),), imap.namespace()
assert b"name" in imap.id_({"name": "imapclient"})[0]

# Folders; the library writes names in modified UTF-7 itself.
for folder in ("Entw\u00fcrfe", "Archiv", "Archiv/\u5f52\u6863", "R&D \"quoted\""):
    imap.create_folder(folder)
    imap.subscribe_folder(folder)
listed = {name: (flags, delimiter) for flags, delimiter, name in imap.list_folders()}
assert {"INBOX", "Entw\u00fcrfe", "Archiv/\u5f52\u6863", "R&D \"quoted\""} <= set(listed), listed
assert b"\\HasChildren" in listed["Archiv"][0], listed
assert "Archiv/\u5f52\u6863" in [name for _, _, name in imap.list_sub_folders()]
for use in ("Sent", "Drafts", "Trash", "Junk", "Archive"):
    assert imap.find_special_folder(f"\\{use}".encode()) == use, use
imap.rename_folder("Archiv", "Archive 2026")
assert imap.folder_exists("Archive 2026/\u5f52\u6863") and not imap.folder_exists("Archiv")

# Append and read: octets, flags and date stay as they were.
text = "From: a@example.net\r\nTo: bob@example.test\r\nSubject: =?utf-8?b?5L2g5aW9?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u4f60\u597d, Welt\r\n".encode()
when = datetime.datetime(2001, 9, 9, 1, 46, 40, tzinfo=datetime.timezone.utc)
imap.append("Entw\u00fcrfe", text, (imapclient.DRAFT, "$own"), when)
imap.append("Entw\u00fcrfe", b"Subject: second\r\n\r\nplain\r\n")
imap.append("Entw\u00fcrfe", b"Subject: third\r\n\r\nplain\r\n")
opened = imap.select_folder("Entw\u00fcrfe")
assert opened[b"EXISTS"] == 3 and opened[b"UIDNEXT"] == 4 and b"\\*" in opened[b"PERMANENTFLAGS"], opened
imap.normalise_times = False
one = imap.fetch(1, ["BODY.PEEK[]", "FLAGS", "INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE"])[1]
assert one[b"BODY[]"] == text and one[b"RFC822.SIZE"] == len(text), one
assert set(one[b"FLAGS"]) - {b"\\Recent"} == {b"\\Draft", b"$own"}, one
assert one[b"INTERNALDATE"] == when and one[b"ENVELOPE"].subject == b"=?utf-8?b?5L2g5aW9?=", one
assert one[b"BODYSTRUCTURE"][:2] == (b"text", b"plain"), one

# Search, in UTF-8 by a literal too.
assert imap.search(["SUBJECT", "second"]) == [2]
assert imap.search(["TEXT", "\u4f60\u597d"], charset="UTF-8") == [1]
assert imap.search(["SUBJECT", "\u4f60"], charset="UTF-8") == [1]
assert imap.search(["NOT", "KEYWORD", "$own"]) == [2, 3]
assert imap.search(["OR", "SUBJECT", "third", ["SINCE", datetime.date(2001, 9, 9), "BEFORE", datetime.date(2001, 9, 10)]]) == [1, 3]
assert imap.sort("REVERSE SUBJECT") == [1, 3, 2]
assert imap.sort(["SIZE"], ["NOT", "KEYWORD", "$own"]) == [3, 2]
assert sorted(imap.thread("REFERENCES")) == [(1,), (2,), (3,)]

# Flags.
assert set(imap.add_flags([2, 3], [imapclient.SEEN, "$label1"])[2]) - {b"\\Recent"} == {b"\\Seen", b"$label1"}
imap.remove_flags(2, [imapclient.SEEN])
assert set(imap.get_flags(2)[2]) - {b"\\Recent"} == {b"$label1"}
imap.set_flags(3, [imapclient.ANSWERED])

# Copy, move, expunge of some.
imap.copy([1, 2], "Archive 2026")
assert imap.folder_status("Archive 2026")[b"MESSAGES"] == 2
imap.add_flags([1, 2], [imapclient.DELETED], silent=True)
imap.uid_expunge(1)
assert imap.search() == [2, 3]
imap.expunge()
assert imap.search() == [3]
imap.move(3, "Archive 2026/\u5f52\u6863")
assert imap.search() == [] and imap.folder_status("Archive 2026/\u5f52\u6863")[b"MESSAGES"] == 1
root, _ = imap.get_quota_root("INBOX")
assert root.mailbox == "INBOX", root
imap.close_folder()

# IDLE: told of what comes in meanwhile.
before = imap.select_folder("INBOX")[b"EXISTS"]
imap.idle()
smtp = demo.submit(demo.alice)
smtp.sendmail(demo.alice[0], [demo.bob[0]], "Subject: while idle\r\n\r\n")
smtp.quit()
told = []
while (before + 1, b"EXISTS") not in told:
    came = imap.idle_check(timeout=60)
    assert came, f"nothing within 60 s after {told}"
    told += came
imap.idle_done()
assert imap.fetch(before + 1, ["ENVELOPE"])[before + 1][b"ENVELOPE"].subject == b"while idle"
for folder in ("Entw\u00fcrfe", "Archive 2026/\u5f52\u6863"):
    imap.unsubscribe_folder(folder)
    imap.delete_folder(folder)
    assert not imap.folder_exists(folder)
imap.logout()
