"""poplib: alice's mail is listed, read and deleted, and is gone the next time; over both kinds of TLS."""

import poplib

from house import Demo

demo = Demo()
for stls in (False, True):
    smtp = demo.submit(demo.bob)
    bodies = [f"Subject: pop {n}\r\n\r\n.first line has a dot\r\nline two of {n}\r\nline three\r\n" for n in range(3)]
    for body in bodies:
        smtp.sendmail(demo.bob[0], [demo.alice[0]], body)
    smtp.quit()

    pop = demo.pop3(demo.alice, stls)
    count, octets = pop.stat()
    _, listing, _ = pop.list()
    assert len(listing) == count and sum(int(line.split()[1]) for line in listing) == octets, (count, octets, listing)
    _, uidls, _ = pop.uidl()
    assert len({line.split()[1] for line in uidls}) == count, uidls
    for n, body in zip(range(count - 2, count + 1), bodies):
        _, lines, size = pop.retr(n)
        assert b"\r\n".join(lines).decode().endswith(body.rstrip("\r\n")), lines
        assert size == int(listing[n - 1].split()[1]), (size, listing[n - 1])
    _, top, _ = pop.top(count, 1)
    assert top[-1] == b".first line has a dot", top
    pop.dele(count)
    pop.dele(count - 1)
    assert pop.stat()[0] == count - 2
    pop.rset()
    pop.dele(count)
    pop.quit()

    pop = demo.pop3(demo.alice, stls)
    assert pop.stat()[0] == count - 1
    assert pop.uidl()[1] == uidls[:-1], "UIDLs changed"
    pop.quit()

pop = poplib.POP3_SSL(demo.host, demo.ports["pop3s"], context=demo.tls, timeout=60)
pop.user(demo.alice[0])
try:
    pop.pass_("wrong")
    raise SystemExit("a wrong password was taken")
except poplib.error_proto:
    pass
