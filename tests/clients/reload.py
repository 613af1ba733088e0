"""HUP takes a changed certificate while an open session goes on; a broken one changes nothing.

reload.py demo.json PID LOG CERT KEY NEW_CERT NEW_KEY NEW_CA"""

import os
import shutil
import signal
import socket
import ssl
import sys

from house import Demo, ok, within

demo = Demo()
pid, log, cert, key, new_cert, new_key, new_ca = sys.argv[2:9]


def shown():
    """The certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((demo.host, demo.ports["imaps"]), timeout=60) as plain:
        with context.wrap_socket(plain) as tls:
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True))


def logged():
    with open(log) as file:
        return file.read()


old = shown()
session = demo.imap(demo.alice)
ok(session.select("INBOX"))

# A broken file changes nothing, and is named in the log.
with open(cert) as file:
    kept = file.read()
with open(cert, "w") as file:
    file.write("this is no certificate\n")
os.kill(int(pid), signal.SIGHUP)
within(30, "the log names the broken file", lambda: any("reload" in line and cert in line for line in logged().splitlines()))
assert shown() == old, "a broken certificate took effect"
with open(cert, "w") as file:
    file.write(kept)

# A new one is shown to new connections; the open session goes on.
shutil.copyfile(new_key, key)
shutil.copyfile(new_cert, cert)
os.kill(int(pid), signal.SIGHUP)
within(30, "the new certificate is shown", lambda: shown() != old)
ok(session.noop())
ok(session.fetch("1", "(FLAGS)"))
session.logout()
demo.tls = ssl.create_default_context(cafile=new_ca)
again = demo.imap(demo.alice)
ok(again.select("INBOX"))
again.logout()
