"""Thunderbird does its work under Xvfb, driven by Marionette; each step is looked at on both sides: what Thunderbird shows, and what
imaplib or poplib finds on the server.

thunderbird.py demo.json WORK  where WORK is one of those at the end. A line a step; when one fails, what was said on the wire."""

import base64
import contextlib
import email.header
import json
import os
import pathlib
import re
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
import traceback

import letters
from house import Demo, ok, text_of, within
from marionette import Marionette

SECONDS = 120  # for a script; what it waits for has 60 of its own
HERE = pathlib.Path(__file__).parent

# Nothing leaves the machine: what Thunderbird asks of the web meets a proxy that is not there. Mail goes past it.
PREFERENCES = {
    "marionette.port": 0,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    # No questions at the start, and none before what a menu's command does.
    "app.donation.eoy.version.viewed": 999,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "mailnews.confirm.moveFoldersToTrash": False,
    "mailnews.downloadToTempFile": False,
    "offline.download.download_messages": 2,
    "offline.send.unsent_messages": 1,
    # What is read or junk is marked by the step that means it.
    "mailnews.mark_message_read.auto": False,
    "mail.server.default.spamLevel": 0,
}


class Bird:
    """A running Thunderbird with a fresh profile. What thunderbird.js has are its methods."""

    def __init__(self, directory, preferences):
        self.directory = pathlib.Path(directory)
        self.running = []
        profile = self.directory / "profile"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in {**PREFERENCES, **preferences}.items()]
        (profile / "user.js").write_text("".join(lines))
        out = open(self.directory / "output", "wb")
        # The display that is free; Xvfb says which.
        reading, writing = os.pipe()
        self.start(["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x960x24", "-nolisten", "tcp"], out, pass_fds=[writing])
        os.close(writing)
        with open(reading) as told:
            display = told.readline().strip()
        environment = {
            **os.environ,
            "DISPLAY": f":{display}",
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "MOZ_LOG": "IMAP:4,POP3:4,timestamp,sync",
            "MOZ_LOG_FILE": str(self.directory / "wire"),
        }
        command = ["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile)]
        thunderbird = self.start(command, out, env=environment)
        port = profile / "MarionetteActivePort"
        wanted = lambda: port.exists() and port.read_text().strip() or thunderbird.poll() is not None
        within(120, "Marionette", wanted)
        self.marionette = Marionette(int(port.read_text()), SECONDS, (HERE / "thunderbird.js").read_text())

    def start(self, command, out, **more):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **more)
        self.running.append(process)
        return process

    def __getattr__(self, function):
        return lambda *arguments: self.marionette.call(function, *arguments)

    def quit(self):
        self.marionette.quit()
        assert self.running[-1].wait(60) == 0, self.running[-1]

    def kill(self):
        for process in reversed(self.running):
            process.kill()
            process.wait()

    def wire(self):
        """Commands, and the lines of answers that are no message's: (connection, state, "C" or "S", line)."""
        log = (self.directory / "wire.moz_log").read_text(errors="replace")
        lines = re.findall(r"IMAP (\w+):[^:\s]+:(\S+?):(SendData|CreateNewLineFromSocket): ((?:\*|\+|\d+) .*)", log)
        return [(connection, state, "C" if how == "SendData" else "S", line) for connection, state, how, line in lines]

    def said(self, word):
        """Whether Thunderbird ever said a line with `word`."""
        return any(word.lower() in line.lower() for _, _, who, line in self.wire() if who == "C")

    def idles(self, user, state="S-INBOX"):
        """Waits until a connection of the user is in IDLE: Thunderbird begins it two seconds after it has nothing to do."""
        url = user.replace("@", "%40")

        def look():
            log = (self.directory / "wire.moz_log").read_text(errors="replace")
            own = set(re.findall(rf"IMAP (\w+):[^:\s]+:\S+?:ProcessCurrentURL:\s*imap://{re.escape(url)}@", log))
            last = {connection: line for connection, at, _, line in self.wire() if connection in own and at == state}
            return any(line.startswith("+ idling") for line in last.values())

        within(60, f"{user} in IDLE", look)


# ── the server's side ────────────────────────────────────────────────────────────────────────────────────────────────────────

demo = Demo()


def account(n, type="imap", tls="tls", outgoing=("submissions", "tls")):
    """Account `n` of the demo as the set-up of an account takes it."""
    service = {("imap", "tls"): "imaps", ("imap", "starttls"): "imap", ("pop3", "tls"): "pop3s"}[type, tls]
    user, password = (demo.alice, demo.bob)[n]
    ways = {"incoming": {"type": type, "port": demo.ports[service], "tls": tls}, "outgoing": {"port": demo.ports[outgoing[0]], "tls": outgoing[1]}}
    return {"user": user, "password": password, **ways}


def utf7(path):
    """A mailbox's name as IMAP writes it, RFC 3501 §5.1.3, quoted."""
    encoded = lambda match: "&" + base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
    return '"' + re.sub("[^ -~]+", encoded, path.replace("&", "&-")) + '"'


def subject_of(header):
    decoded = email.header.decode_header(header.decode("utf-8").partition(":")[2].strip())
    return "".join(part if isinstance(part, str) else part.decode(charset or "utf-8") for part, charset in decoded)


class Account:
    """What the server has of an account, asked by imaplib."""

    def __init__(self, account):
        self.account = account
        self.user = account["user"]
        self.imap = self.another()
        self.can = set(ok(self.imap.capability())[0].decode().split())

    def another(self):
        """Another connection: a client beside Thunderbird."""
        return demo.imap((self.user, self.account["password"]))

    def names(self, subscribed=False):
        """The mailboxes' names, in quotes."""
        lines = ok(self.imap.lsub() if subscribed else self.imap.list())
        return {'"' + line.decode().rpartition('"/" ')[2].strip('"') + '"' for line in lines if line}

    def flags(self, path):
        """{subject: its flags, without \\Recent} of a mailbox."""
        ok(self.imap.select(utf7(path), readonly=True))
        parts = ok(self.imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        flags, subjects = {}, {}
        for part in parts:
            line, *literal = part if isinstance(part, tuple) else (part,)
            # Flags that change meanwhile come once more, without a subject.
            said = line and re.match(rb"(\d+) \(.*FLAGS \(([^)]*)\)", line)
            if said:
                flags[said[1]] = set(said[2].decode().split()) - {"\\Recent"}
            if literal:
                subjects[said[1]] = subject_of(literal[0])
        return {subject: flags[number] for number, subject in subjects.items()}

    def octets(self, path, subject):
        ok(self.imap.select(utf7(path), readonly=True))
        for number in ok(self.imap.search(None, "ALL"))[0].split():
            (header,) = text_of(self.imap.fetch(number, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
            if subject_of(header) == subject:
                (octets,) = text_of(self.imap.fetch(number, "(BODY.PEEK[])"))
                return octets
        return None

    def becomes(self, path, wanted, without=frozenset()):
        """Waits until the mailbox holds what `wanted` names with these flags, and what it names with None is gone; without MOVE,
        what was moved may stay marked as deleted. What a filter thinks of a message is not looked at, nor are the flags of `without`."""
        seen = {}

        def fits(found, flags):
            if flags is None:
                return found is None or "MOVE" not in self.can and "\\Deleted" in found
            return found is not None and found - {"Junk", "NonJunk"} - without == flags

        def look():
            seen.clear()
            seen.update(self.flags(path))
            return all(fits(seen.get(subject), flags) for subject, flags in wanted.items())

        try:
            within(60, path, look)
        except AssertionError as error:
            raise AssertionError(f"{path}: not {wanted}, but {seen}") from error


def deliver(to, octets, sender="someone@example.net"):
    with smtplib.SMTP(demo.host, demo.ports["smtp"], timeout=60) as smtp:
        assert smtp.sendmail(sender, [to], octets) == {}


def note(to, subject, body="hello"):
    deliver(to, f"From: Someone <someone@example.net>\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode())


# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def step(name):
    begun = time.monotonic()
    print(f"{name} … ", end="", flush=True)
    yield
    print(f"{time.monotonic() - begun:.1f} s", flush=True)


def set_up(bird, *accounts):
    bird.trust(pathlib.Path(demo.json["ca"]).read_text())
    for one in accounts:
        assert bird.verify(one) is None, "the right password was refused"
        bird.add(one)
        user = one["user"]
        if one["incoming"]["type"] == "imap":
            bird.look(user, "INBOX")
            special = {"INBOX": "Inbox", "Drafts": "Drafts", "Sent": "SentMail", "Trash": "Trash", "Junk": "Junk", "Archive": "Archive"}
            within(60, "the special folders", lambda: bird.listed(user) == special)
            bird.find(user, ["INBOX"], "Welcome")


# A folder, one in it, and a tag.
OUTER, INNER, TAG = "收件 & Entwürfe", "2027 ÄÖÜ 税务", "税务 Büro"


def setting_up(bird, server):
    """Account set-up: a CA that is not trusted, a wrong password, the right one; special folders by themselves."""
    one = server.account
    assert bird.verifyDistrusted(one), "a certificate of an unknown CA was taken"
    bird.trust(pathlib.Path(demo.json["ca"]).read_text())
    assert bird.verify({**one, "password": "wrong"}), "a wrong password was taken"
    set_up(bird, one)


def reading(bird, server):
    """Letters in GB18030, Big5 and UTF-8, RFC 2231 names, attachments octet by octet."""
    user = server.user
    for letter in letters.all_letters():
        deliver(user, letter.octets)
        bird.find(user, ["INBOX"], letter.subject)
        shown = bird.read(user, ["INBOX"], letter.subject)
        assert (shown["subject"], shown["from"]) == (letter.subject, letter.sender), (shown["subject"], shown["from"])
        for text in letter.text:
            assert text in shown["text"], (text, shown["text"])
        attachments = [(attachment["name"], base64.b64decode(attachment["base64"])) for attachment in shown["attachments"]]
        assert [name for name, _ in attachments] == [name for name, _ in letter.attachments], attachments
        for (name, octets), (_, sent) in zip(attachments, letter.attachments):
            # A message within the message is kept with the line ends of the machine, and without the last.
            same = octets == sent or name.endswith(".eml") and octets.splitlines() == sent.splitlines()
            assert same, (name, len(octets), len(sent), octets[:60], sent[:60])
        assert server.octets("INBOX", letter.subject).endswith(letter.octets), letter.subject


def folders(bird, server):
    """Folders with names that are not ASCII: made, renamed, subscribed, deleted into Trash."""
    user = server.user
    for names, name in (([], OUTER), ([OUTER], "2026 税务"), ([OUTER], "gone")):
        bird.create(user, names, name)
        assert utf7("/".join([*names, name])) in server.names() & server.names(subscribed=True), server.names()
    bird.rename(user, [OUTER, "2026 税务"], INNER)
    assert utf7(f"{OUTER}/{INNER}") in server.names() & server.names(subscribed=True), server.names()
    assert utf7(f"{OUTER}/2026 税务") not in server.names() | server.names(subscribed=True), server.names()
    bird.remove(user, OUTER, "gone")
    within(60, "a folder in Trash", lambda: '"Trash/gone"' in server.names() and utf7(f"{OUTER}/gone") not in server.names())
    ok(server.imap.create(utf7("elsewhere é")))
    path, subscribed = bird.subscriptions(user)["elsewhere é"]
    assert not subscribed, path
    bird.subscribe(user, path, True)
    within(60, "a subscription", lambda: utf7("elsewhere é") in server.names(subscribed=True))
    within(60, "a folder shown", lambda: "elsewhere é" in bird.listed(user))
    path, subscribed = bird.subscriptions(user)["elsewhere é"]
    assert subscribed, path
    bird.subscribe(user, path, False)
    within(60, "no subscription", lambda: utf7("elsewhere é") not in server.names(subscribed=True))


def push(bird, server):
    """Push by IDLE: a delivery, a flag and an expunge of another client are shown without asking."""
    user = server.user
    bird.open(user, "INBOX")
    times = []
    for n in range(6):
        bird.idles(user)
        begun = time.monotonic()
        note(user, f"note {n}")
        bird.comes(user, ["INBOX"], f"note {n}")
        times.append(time.monotonic() - begun)
    other = server.another()
    ok(other.select("INBOX"))
    bird.idles(user)
    (number,) = ok(other.search(None, "SUBJECT", '"note 5"'))[0].split()
    ok(other.store(number, "+FLAGS", r"(\Flagged $label3)"))
    bird.becomes(user, ["INBOX"], "note 5", {"flags": ["flagged"], "tags": ["Personal"]})
    bird.idles(user)
    ok(other.store(number, "+FLAGS", r"(\Deleted)"))
    ok(other.expunge())
    bird.becomes(user, ["INBOX"], "note 5", None)
    print(f"(delivered and shown in {min(times):.2f} to {max(times):.2f} s) ", end="")
    assert max(times) < 10, times


def marks(bird, server):
    """Flags, tags and junk, one message and several."""
    user = server.user
    own = bird.addTag(TAG)
    bird.command("cmd_markAsRead", user, ["INBOX"], ["note 0", "note 1", "note 2"])
    bird.command("cmd_markAsFlagged", user, ["INBOX"], ["note 0"])
    bird.command("cmd_tag1", user, ["INBOX"], ["note 0", "note 1"])
    bird.command(f"cmd_tag{own}", user, ["INBOX"], ["note 1"])
    bird.command("cmd_markAsJunk", user, ["INBOX"], ["note 3"])
    bird.becomes(user, ["INBOX"], "note 0", {"flags": ["flagged", "seen"], "tags": ["Important"]})
    bird.becomes(user, ["INBOX"], "note 1", {"flags": ["seen"], "tags": ["Important", TAG]})
    bird.becomes(user, ["INBOX"], "note 3", {"junk": True})
    key = bird.tagKey(TAG)
    wanted = {"note 0": {"\\Seen", "\\Flagged", "$label1"}, "note 1": {"\\Seen", "$label1", key}, "note 2": {"\\Seen"}, "note 4": set()}
    server.becomes("INBOX", wanted)
    within(60, "Junk", lambda: "Junk" in server.flags("INBOX")["note 3"])
    bird.command("cmd_tag1", user, ["INBOX"], ["note 0", "note 1"])
    bird.command("cmd_markAsUnread", user, ["INBOX"], ["note 2"])
    bird.command("cmd_markAsNotJunk", user, ["INBOX"], ["note 3"])
    server.becomes("INBOX", {"note 0": {"\\Seen", "\\Flagged"}, "note 1": {"\\Seen", key}, "note 2": set()})
    within(60, "NonJunk", lambda: server.flags("INBOX")["note 3"] & {"Junk", "NonJunk"} == {"NonJunk"})


def moves(bird, server):
    """Copy, move, delete, empty Trash."""
    user = server.user
    inner, key = f"{OUTER}/{INNER}", bird.tagKey(TAG)
    bird.command("cmd_copyMessage", user, ["INBOX"], ["note 0", "note 1"], [OUTER, INNER])
    server.becomes(inner, {"note 0": {"\\Seen", "\\Flagged"}, "note 1": {"\\Seen", key}})
    bird.command("cmd_moveMessage", user, ["INBOX"], ["note 1", "note 2"], [OUTER])
    server.becomes(OUTER, {"note 1": {"\\Seen", key}, "note 2": set()})
    bird.becomes(user, ["INBOX"], "note 1", None)
    server.becomes("INBOX", {"note 1": None, "note 2": None})
    for names, subject in (([OUTER, INNER], "note 1"), ([OUTER], "note 2")):
        bird.find(user, names, subject)
    bird.becomes(user, [OUTER, INNER], "note 0", {"flags": ["flagged", "seen"]})
    bird.command("cmd_deleteMessage", user, ["INBOX"], ["note 3"])
    bird.command("cmd_deleteMessage", user, [OUTER], ["note 1"])
    bird.becomes(user, ["INBOX"], "note 3", None)
    within(60, "both in Trash", lambda: set(server.flags("Trash")) == {"note 1", "note 3"})
    server.becomes("INBOX", {"note 3": None})
    server.becomes(OUTER, {"note 1": None, "note 2": set()})
    bird.find(user, ["Trash"], "note 3")
    bird.emptyTrash(user)
    within(60, "an empty Trash", lambda: not server.flags("Trash") and '"Trash/gone"' not in server.names())
    assert "Trash/gone" not in bird.listed(user) and not bird.messages(user, "Trash")


def compacting(bird, server):
    """What is only marked as deleted is shown so, and goes when the folder is compacted."""
    user = server.user
    inner = f"{OUTER}/{INNER}"
    bird.deleteModel(user, "mark")
    bird.command("cmd_deleteMessage", user, [OUTER, INNER], ["note 0"])
    bird.becomes(user, [OUTER, INNER], "note 0", {"flags": ["deleted", "flagged", "seen"]})
    server.becomes(inner, {"note 0": {"\\Seen", "\\Flagged", "\\Deleted"}})
    bird.compact(user, OUTER, INNER)
    within(60, "the expunge", lambda: set(server.flags(inner)) == {"note 1"})
    bird.becomes(user, [OUTER, INNER], "note 0", None)
    bird.deleteModel(user, "trash")


def searching(bird, server):
    """Search on the server, in UTF-8."""
    user = server.user
    subjects = [letter.subject for letter in letters.all_letters()]
    assert bird.search(user, ["INBOX"], [["Subject", "Contains", "季度报表"]]) == [subjects[0]]
    assert bird.search(user, ["INBOX"], [["Body", "Contains", "請準時出席"]]) == [subjects[1]]
    assert bird.search(user, ["INBOX"], [["Body", "Contains", "内层的信"]]) == [subjects[2]]
    assert bird.search(user, ["INBOX"], [["Sender", "Contains", "李雷"], ["Subject", "Contains", "zürich"]]) == [subjects[2]]
    assert bird.search(user, ["INBOX"], [["Body", "Contains", "nowhere to be found 无"]]) == []
    assert bird.search(user, ["INBOX"], [["MsgStatus", "Is", "Marked"]]) == ["note 0"]
    assert bird.search(user, ["INBOX"], [["Date", "IsBefore", "2026-11-25"], ["Subject", "Contains", "large"]]) == ["large"]
    assert bird.said("charset utf-8"), "no search in UTF-8 was asked for"


def capabilities(bird, server):
    """What was announced was used."""
    words = {"IDLE": " idle", "NAMESPACE": " namespace", "ID": ' id ("name" "thunderbird"', "MOVE": " uid move ", "COMPRESS=DEFLATE": "compress deflate"}
    for capability, word in words.items():
        assert bird.said(word) == (capability in server.can), capability
    if {"LIST-EXTENDED", "SPECIAL-USE"} <= server.can:
        assert bird.said('list (subscribed) "" "*" return (special-use)'), "the extended LIST was not used"


def writing(bird, server):
    """Sending: to oneself and another, with attachments, a copy in Sent; drafts."""
    user = server.user
    bob = Account(account(1))
    octets = b"".join(letter.octets for letter in letters.all_letters()[:2])
    attachment = bird.directory / "附件 a&b.bin"
    attachment.write_bytes(octets)
    html = {"to": f"{user}, {demo.bob[0]}", "subject": "税务 in HTML – ä", "html": "<p>一段<b>粗体</b>文字。</p>", "attachments": [str(attachment)]}
    plain = {"to": demo.bob[0], "subject": "plain", "text": "über\n.dots\nFrom here\n"}
    bird.idles(user)
    bird.write(user, html, "cmd_sendNow")
    bird.write(user, plain, "cmd_sendNow")
    for path in ("INBOX", "Sent"):
        server.becomes(path, {html["subject"]: {"\\Seen"} if path == "Sent" else set()})
    bob.becomes("INBOX", {html["subject"]: set(), "plain": set()})
    server.becomes("Sent", {"plain": {"\\Seen"}})
    # Bob's is what the copy in Sent says, after the lines of its way.
    for subject in (html["subject"], "plain"):
        sent, got = server.octets("Sent", subject), bob.octets("INBOX", subject)
        assert sent.partition(b"\r\n\r\n")[2] == got.partition(b"\r\n\r\n")[2], (sent[-300:], got[-300:])
    # A space before From: format=flowed, RFC 3676 §4.4.
    assert "über\r\n.dots\r\n From here\r\n".encode() in bob.octets("INBOX", "plain"), bob.octets("INBOX", "plain")
    bird.comes(user, ["INBOX"], html["subject"])
    for names in (["INBOX"], ["Sent"]):
        bird.find(user, names, html["subject"])
        shown = bird.read(user, names, html["subject"])
        assert "一段粗体文字。" in shown["text"], shown["text"]
        assert [(part["name"], base64.b64decode(part["base64"])) for part in shown["attachments"]] == [(attachment.name, octets)], shown["attachments"]
    draft = {"to": demo.bob[0], "subject": "草稿", "text": "not yet\n"}
    bird.write(user, draft, "cmd_saveAsDraft")
    within(60, "the draft", lambda: "草稿" in server.flags("Drafts"))
    assert "\\Draft" in server.flags("Drafts")["草稿"], server.flags("Drafts")
    bird.find(user, ["Drafts"], "草稿")


def imap_day(bird, one):
    server = Account(one)
    for part in (setting_up, reading, folders, push, marks, moves, compacting, searching, writing, capabilities):
        with step(part.__doc__):
            part(bird, server)


def offline(bird, one):
    """STARTTLS, and what was done without a connection."""
    user = one["user"]
    server = Account(one)

    with step("account set-up with STARTTLS on both ways"):
        set_up(bird, one)
        bird.create(user, [], "Arbeit 工作")

    with step("sending by port 587"):
        message = {"to": user, "subject": "by 587", "text": "text\n"}
        bird.open(user, "INBOX")
        bird.write(user, message, "cmd_sendNow")
        server.becomes("INBOX", {"by 587": set()})
        server.becomes("Sent", {"by 587": {"\\Seen"}})

    with step("everything is kept for offline use"):
        for n in range(6):
            note(user, f"note {n}")
        for n in range(6):
            bird.find(user, ["INBOX"], f"note {n}")
        bird.keep(user, "INBOX")
        for n in range(6):
            bird.becomes(user, ["INBOX"], f"note {n}", {"kept": True})

    with step("offline: read, flags, tags, copy, move, delete; a message is written"):
        bird.offline(True)
        assert bird.read(user, ["INBOX"], "note 1")["text"].strip() == "hello"
        bird.command("cmd_moveMessage", user, ["INBOX"], ["note 0"], ["Arbeit 工作"])
        bird.command("cmd_markAsRead", user, ["INBOX"], ["note 1", "note 2"])
        bird.command("cmd_markAsFlagged", user, ["INBOX"], ["note 2"])
        bird.command("cmd_tag2", user, ["INBOX"], ["note 2"])
        bird.command("cmd_copyMessage", user, ["INBOX"], ["note 3"], ["Arbeit 工作"])
        bird.command("cmd_deleteMessage", user, ["INBOX"], ["note 4"])
        bird.write(user, {"to": user, "subject": "written offline", "text": "text\n"}, "cmd_sendLater")
        assert set(server.flags("INBOX")) == {"Welcome", "by 587", *(f"note {n}" for n in range(6))}, server.flags("INBOX")
        assert not server.flags("Arbeit 工作") and not server.flags("INBOX")["note 1"] & {"\\Seen"}

    with step("meanwhile another client changes flags, and mail comes"):
        other = server.another()
        ok(other.select("INBOX"))
        (number,) = ok(other.search(None, "SUBJECT", '"note 5"'))[0].split()
        ok(other.store(number, "+FLAGS", r"(\Flagged $label4)"))
        (number,) = ok(other.search(None, "SUBJECT", '"by 587"'))[0].split()
        ok(other.store(number, "+FLAGS", r"(\Deleted)"))
        ok(other.expunge())
        note(user, "came meanwhile")

    with step("online again: what was done arrives, what came is shown"):
        bird.online(user, "INBOX")
        flags = {"note 1": {"\\Seen"}, "note 2": {"\\Seen", "\\Flagged", "$label2"}, "note 3": set()}
        server.becomes("INBOX", {"note 0": None, "note 4": None, **flags}, without={"$MDNSent"})
        server.becomes("Arbeit 工作", {"note 0": set(), "note 3": set()})
        within(60, "note 4 in Trash", lambda: set(server.flags("Trash")) == {"note 4"})
        server.becomes("INBOX", {"written offline": set()})
        server.becomes("Sent", {"written offline": {"\\Seen"}})
        bird.find(user, ["INBOX"], "came meanwhile")
        bird.becomes(user, ["INBOX"], "note 5", {"flags": ["flagged"], "tags": ["To Do"]})
        bird.becomes(user, ["INBOX"], "by 587", None)
        bird.becomes(user, ["INBOX"], "note 0", None)


def condstore(bird, one):
    """With mail.server.default.use_condstore, which is off as shipped: only what has changed since is asked for."""
    user = one["user"]
    server = Account(one)

    with step("account set-up, and some mail"):
        set_up(bird, one)
        bird.open(user, "INBOX")
        for n in range(4):
            note(user, f"note {n}")
        for n in range(4):
            bird.find(user, ["INBOX"], f"note {n}")

    with step("what another client did meanwhile is shown, asked for by CHANGEDSINCE"):
        bird.offline(True)
        other = server.another()
        ok(other.select("INBOX"))
        ok(other.store("2", "+FLAGS", r"(\Seen \Flagged $label1)"))
        ok(other.store("3", "+FLAGS", r"(\Answered)"))
        ok(other.store("4", "+FLAGS", r"(\Deleted)"))
        ok(other.expunge())
        note(user, "came meanwhile")
        bird.offline(False)
        bird.find(user, ["INBOX"], "came meanwhile")
        bird.becomes(user, ["INBOX"], "note 0", {"flags": ["flagged", "seen"], "tags": ["Important"]})
        bird.becomes(user, ["INBOX"], "note 1", {"flags": ["answered"]})
        bird.becomes(user, ["INBOX"], "note 2", None)
        bird.becomes(user, ["INBOX"], "note 3", {"flags": []})
        assert bird.said("(CHANGEDSINCE ") == ("CONDSTORE" in server.can), "CONDSTORE was announced and not used"


def pop3(bird, one):
    """POP3S: get, leave on the server, delete."""
    user, password = one["user"], one["password"]
    pop = lambda: demo.pop3((user, password))
    count = lambda: pop().stat()[0]

    with step("account set-up with POP3S: a wrong password, the right one"):
        bird.trust(pathlib.Path(demo.json["ca"]).read_text())
        assert bird.verify({**one, "password": "wrong"}), "a wrong password was taken"
        assert bird.verify(one) is None, "the right password was refused"
        bird.add(one)

    with step("get: all is there, octet by octet, and stays on the server"):
        for letter in letters.all_letters():
            deliver(user, letter.octets)
        bird.get(user)
        shown = bird.messages(user, "Inbox")
        assert set(shown) == {"Welcome", *(letter.subject for letter in letters.all_letters())}, shown
        for letter in letters.all_letters():
            read = bird.read(user, ["Inbox"], letter.subject)
            for text in letter.text:
                assert text in read["text"], (text, read["text"])
            attachments = [(attachment["name"], base64.b64decode(attachment["base64"])) for attachment in read["attachments"]]
            for (name, octets), (_, sent) in zip(attachments, letter.attachments, strict=True):
                assert octets == sent or name.endswith(".eml") and octets.splitlines() == sent.splitlines(), name
        assert count() == 5, count()

    with step("get again: only what is new"):
        note(user, "one more")
        bird.get(user)
        assert len(bird.messages(user, "Inbox")) == 6, bird.messages(user, "Inbox")
        assert count() == 6, count()

    with step("what is deleted here goes on the server with the next get"):
        bird.command("cmd_deleteMessage", user, ["Inbox"], ["large"])
        bird.get(user)
        assert count() == 5 and "large" not in bird.messages(user, "Inbox"), (count(), bird.messages(user, "Inbox"))

    with step("without leaving on the server: get empties it"):
        bird.leaveOnServer(user, False)
        note(user, "the last")
        bird.get(user)
        assert len(bird.messages(user, "Inbox")) == 6, bird.messages(user, "Inbox")
        assert count() == 0, count()

    with step("sending by port 465 with a copy in its own Sent"):
        bird.write(user, {"to": user, "subject": "from POP3", "text": "text\n"}, "cmd_sendNow")
        bird.get(user)
        assert "from POP3" in bird.messages(user, "Inbox"), bird.messages(user, "Inbox")


WORK = {
    "imap": (imap_day, account(0), {}),
    "offline": (offline, account(1, tls="starttls", outgoing=("submission", "starttls")), {}),
    "condstore": (condstore, account(1), {"mail.server.default.use_condstore": True}),
    "pop3": (pop3, account(1, "pop3"), {}),
}


def too_long(number, frame):
    raise TimeoutError("all of it has taken too long")


def main():
    # In time to end what was started.
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(420)
    work, one, preferences = WORK[sys.argv[2]]
    with tempfile.TemporaryDirectory(prefix="thunderbird-") as directory:
        bird = None
        try:
            with step("start"):
                bird = Bird(directory, preferences)
            work(bird, one)
            with step("end"):
                bird.quit()
        except BaseException:
            print("failed", flush=True)
            traceback.print_exc()
            print("--- what Thunderbird wrote ---", pathlib.Path(directory, "output").read_text(errors="replace")[-5000:], file=sys.stderr)
            if bird and pathlib.Path(directory, "wire.moz_log").exists():
                print("--- what was said last on the wire ---", *map(" ".join, bird.wire()[-300:]), sep="\n", file=sys.stderr)
            sys.exit(1)
        finally:
            if bird:
                bird.kill()


if __name__ == "__main__":
    main()
