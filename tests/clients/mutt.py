"""mutt in a terminal of its own: opens a mailbox, does what KEYS say, and leaves.

mutt.py SECONDS DIRECTORY SETTINGS COMMAND…  DIRECTORY holds its configuration (SETTINGS) and temporary files."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

seconds, directory, settings, *command = sys.argv[1:]
rc = os.path.join(directory, "muttrc")
with open(rc, "w") as file:
    file.write(settings)
environment = {"HOME": directory, "TERM": "xterm", "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "MAIL": "/dev/null"}
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(directory)
    # -n: not the machine's own settings.
    os.execvpe(command[0], [command[0], "-n", "-F", rc, *command[1:]], environment)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
screen, end, connected = b"", time.monotonic() + float(seconds), True
while True:
    # The other side of the terminal may be closed before the program has ended.
    ready, _, _ = select.select([terminal] if connected else [], [], [], 0.1)
    try:
        screen += os.read(terminal, 65536) if ready else b""
    except OSError:
        connected = False
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
    if time.monotonic() > end:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        sys.exit(f"mutt did not end within {seconds} s; the screen was:\n{screen.decode(errors='replace')}")
print(screen.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
