"""bob waits in IDLE; alice sends; bob is told, and has the message."""

from house import Demo, ok, text_of

demo = Demo()
imap = demo.imap(demo.bob)
before = int(ok(imap.select("INBOX"))[0])
imap.send(b"i IDLE\r\n")
assert imap.readline().startswith(b"+"), "no continuation"
smtp = demo.submit(demo.alice)
smtp.sendmail(demo.alice[0], [demo.bob[0]], "Subject: you are told\r\n\r\nat once\r\n")
smtp.quit()
told = b""
while b"EXISTS" not in told:  # the socket's own time-out is the limit
    told = imap.readline()
assert told == b"* %d EXISTS\r\n" % (before + 1), told
imap.send(b"DONE\r\n")
line = b""
while not line.startswith(b"i "):
    line = imap.readline()
assert line.startswith(b"i OK"), line
(text,) = text_of(imap.fetch(str(before + 1), "(BODY[])"))
assert b"Subject: you are told\r\n\r\nat once\r\n" in text, text
imap.logout()
