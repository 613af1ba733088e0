"""What the scripts beside this one share: the demo they talk to, and TLS that trusts only its CA."""

import imaplib
import json
import poplib
import smtplib
import ssl
import sys
import time

imaplib._MAXLINE = 10_000_000


class Demo:
    def __init__(self, path=None):
        with open(path or sys.argv[1]) as file:
            self.json = json.load(file)
        self.host = self.json["host"]
        self.ports = self.json["ports"]
        self.tls = ssl.create_default_context(cafile=self.json["ca"])
        self.alice, self.bob = [(a["address"], a["password"]) for a in self.json["accounts"]]

    def imap(self, account, starttls=False):
        if starttls:
            client = imaplib.IMAP4(self.host, self.ports["imap"], timeout=60)
            client.starttls(self.tls)
        else:
            client = imaplib.IMAP4_SSL(self.host, self.ports["imaps"], ssl_context=self.tls, timeout=60)
        client.login(*account)
        return client

    def pop3(self, account, stls=False):
        if stls:
            client = poplib.POP3(self.host, self.ports["pop3"], timeout=60)
            client.stls(self.tls)
        else:
            client = poplib.POP3_SSL(self.host, self.ports["pop3s"], context=self.tls, timeout=60)
        client.user(account[0])
        client.pass_(account[1])
        return client

    def submit(self, account, implicit=True):
        if implicit:
            client = smtplib.SMTP_SSL(self.host, self.ports["submissions"], context=self.tls, timeout=60)
        else:
            client = smtplib.SMTP(self.host, self.ports["submission"], timeout=60)
            client.starttls(context=self.tls)
        client.login(*account)
        return client


def ok(answer):
    """The data of an answer of imaplib that is OK."""
    assert answer[0] == "OK", answer
    return answer[1]


def text_of(answer):
    """The literals of a FETCH answer."""
    return [part[1] for part in ok(answer) if isinstance(part, tuple)]


def within(seconds, what, look):
    """The first true answer of `look`; fails when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)
