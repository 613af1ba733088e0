"""Prints what a mailbox of bob's holds: a line a message, its flags and its subject.

counts.py demo.json MAILBOX"""

import sys

from house import Demo, ok

demo = Demo()
imap = demo.imap(demo.bob)
ok(imap.select(f'"{sys.argv[2]}"', readonly=True))
for number in ok(imap.search(None, "ALL"))[0].split():
    header, flags = ok(imap.fetch(number, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] FLAGS)"))
    subject = header[1].decode().strip().removeprefix("Subject: ")
    print(" ".join(sorted((header[0] + flags).decode().partition("FLAGS (")[2].partition(")")[0].split())) + ": " + subject)
imap.logout()
