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
screen, end, status = b"", time.monotonic() + float(seconds), None
while status is None:
    ready, _, _ = select.select([terminal], [], [], 0.1)
    try:
        screen += os.read(terminal, 65536) if ready else b""
    except OSError:  # the other side of the terminal is closed
        _, status = os.waitpid(pid, 0)
        break
    ended, code = os.waitpid(pid, os.WNOHANG)
    if ended:
        status = code
    elif time.monotonic() > end:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        sys.exit(f"mutt did not end within {seconds} s; the screen was:\n{screen.decode(errors='replace')}")
print(screen.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
