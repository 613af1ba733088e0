"""LMTP over a Unix socket: a reply for each recipient.

lmtp.py SOCKET"""

import smtplib
import sys

lmtp = smtplib.LMTP(sys.argv[1])
refused = lmtp.sendmail("someone@example.net", ["carol@example.test", "nobody@example.test", "dave@example.test"], "Subject: by LMTP\r\n\r\ntext\r\n")
assert set(refused) == {"nobody@example.test"} and refused["nobody@example.test"][0] == 550, refused
lmtp.quit()
