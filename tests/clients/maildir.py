"""The Maildir on the disk, read by Python's mailbox module, says within 2 seconds what clients did by IMAP.

maildir.py demo.json MAILDIR_OF_BOB"""

import mailbox
import sys

from house import Demo, ok, within

demo = Demo()
path = sys.argv[2]


def files(folder=None):
    """Subject → flags of every message."""
    try:
        box = mailbox.Maildir(path, create=False)
        box = box.get_folder(folder) if folder else box
        return {message["Subject"]: "".join(sorted(message.get_flags())) for message in box}
    except (FileNotFoundError, KeyError, mailbox.NoSuchMailboxError):
        return {}  # renamed between the listing and the reading, or not yet made


smtp = demo.submit(demo.alice)
for n in range(4):
    smtp.sendmail(demo.alice[0], [demo.bob[0]], f"Subject: file {n}\r\n\r\ntext {n}\r\n")
smtp.quit()
within(2, "four files", lambda: sum(1 for subject in files() if subject.startswith("file ")) == 4)
assert files()["file 0"] == "", files()

imap = demo.imap(demo.bob)
ok(imap.select("INBOX"))
number = {n: ok(imap.search(None, "SUBJECT", f'"file {n}"'))[0] for n in range(4)}
ok(imap.store(number[0], "+FLAGS", r"(\Seen \Flagged)"))
ok(imap.store(number[1], "+FLAGS", r"(\Answered \Draft \Seen)"))
ok(imap.store(number[2], "+FLAGS", r"(\Deleted)"))
within(2, "flags in the names", lambda: (files().get("file 0"), files().get("file 1"), files().get("file 2")) == ("FS", "DRS", "T"))
ok(imap.store(number[0], "-FLAGS", r"(\Flagged)"))
within(2, "a flag taken back", lambda: files().get("file 0") == "S")
ok(imap.create("Kept"))
ok(imap.copy(number[0], "Kept"))
within(2, "the copy in its folder", lambda: files("Kept").get("file 0") == "S")
ok(imap.expunge())
within(2, "the expunged file is gone", lambda: "file 2" not in files() and len(files()) >= 3)
ok(imap.delete("Kept"))
within(2, "the folder is gone", lambda: files("Kept") == {})
imap.logout()
