"""aioimaplib: three connections of bob's at once; one waits in IDLE while the others append, mark, move and expunge."""

import asyncio

import aioimaplib

from house import Demo

demo = Demo()


async def connect():
    imap = aioimaplib.IMAP4_SSL(demo.host, demo.ports["imaps"], timeout=60, ssl_context=demo.tls)
    await imap.wait_hello_from_server()
    ok(await imap.login(*demo.bob))
    ok(await imap.select("INBOX"))
    return imap


def ok(answer):
    assert answer.result == "OK", answer
    return answer.lines


async def told(imap, *words):
    """What is pushed, until a line has one of `words`."""
    lines = []
    while not any(word in line for line in lines for word in words):
        lines += await imap.wait_server_push(timeout=60)
    return lines


async def main():
    waiting, one, two = await asyncio.gather(connect(), connect(), connect())
    idle = await waiting.idle_start(timeout=120)

    # Each appends ten; the one in IDLE is told.
    async def append(imap, name):
        for n in range(10):
            ok(await imap.append(f"Subject: {name} {n}\r\n\r\nbody\r\n".encode(), "INBOX", r"(\Flagged)"))

    await asyncio.gather(append(one, "one"), append(two, "two"))
    await told(waiting, b"21 EXISTS")
    ok(await one.noop())
    found = ok(await one.uid_search('SUBJECT "two"', charset=None))[0].split()
    assert len(found) == 10, found
    uids = ",".join(uid.decode() for uid in found)
    ok(await one.uid("store", uids, "+FLAGS", r"(\Seen)"))
    await told(waiting, rb"\Seen")
    lines = ok(await two.uid("fetch", uids, "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    assert sum(b"Subject: two" in line for line in lines) == 10 and sum(rb"\Seen" in line for line in lines) == 10, lines

    # Away with them.
    ok(await one.create("Aside"))
    ok(await one.uid("move", uids, "Aside"))
    await told(waiting, b"EXPUNGE")
    waiting.idle_done()
    await asyncio.wait_for(idle, 60)
    ok(await waiting.noop())
    assert len(ok(await waiting.uid_search("ALL", charset=None))[0].split()) == 11
    assert b"MESSAGES 10" in ok(await two.status("Aside", "(MESSAGES)"))[0]
    for imap in (waiting, one, two):
        ok(await imap.logout())


asyncio.run(main())
