"""smtplib: both submissions, several recipients, sizes; and what is refused."""

import smtplib

from house import Demo, ok, text_of, within

demo = Demo()
alice, bob = demo.alice, demo.bob


def refused(call, *codes):
    try:
        call()
    except smtplib.SMTPRecipientsRefused as error:
        assert all(code in codes for code, _ in error.recipients.values()), error.recipients
    except smtplib.SMTPResponseException as error:
        assert error.smtp_code in codes, (error.smtp_code, error.smtp_error)
    else:
        raise SystemExit(f"{call} was not refused")


# Submission, both ways; to both accounts at once.
large = "Subject: large\r\n\r\n" + "".join(f".dotted line {n}\r\n" for n in range(50_000))
for implicit in (True, False):
    smtp = demo.submit(alice, implicit)
    assert "size" in smtp.esmtp_features and "8bitmime" in smtp.esmtp_features, smtp.esmtp_features
    assert smtp.sendmail(alice[0], [alice[0], bob[0]], f"Subject: both {implicit}\r\n\r\ntext\r\n") == {}
    assert smtp.sendmail(alice[0], [bob[0]], large) == {}
    refused(lambda: smtp.sendmail(alice[0], ["nobody@example.test"], "Subject: x\r\n\r\n"), 550)
    smtp.quit()

# Bob has them, byte for byte after the trace.
imap = demo.imap(bob)
ok(imap.select("INBOX"))
assert len(ok(imap.search(None, "SUBJECT", "both"))[0].split()) == 2
for number in ok(imap.search(None, "SUBJECT", "large"))[0].split():
    (text,) = text_of(imap.fetch(number, "(BODY.PEEK[])"))
    assert text.endswith(large.encode()) and text.startswith(b"Return-Path: <alice@example.test>\r\n"), text[:500]
    assert b"\r\nReceived: from " in text[:2000], text[:2000]
imap.logout()

# Port 25: to us without a password, to others never; no password in clear; a wrong one is refused.
smtp = smtplib.SMTP(demo.host, demo.ports["smtp"], timeout=60)
smtp.ehlo("client.example.net")
assert "auth" not in smtp.esmtp_features, smtp.esmtp_features
assert smtp.sendmail("someone@example.net", [bob[0]], "Subject: from outside\r\n\r\n") == {}
refused(lambda: smtp.sendmail("someone@example.net", ["someone@example.org"], "Subject: relay\r\n\r\n"), 450, 550, 554, 454)
smtp.quit()
smtp = smtplib.SMTP(demo.host, demo.ports["submission"], timeout=60)
smtp.ehlo("client.example.net")
assert "auth" not in smtp.esmtp_features, "AUTH is offered in clear"
refused(lambda: smtp.sendmail(alice[0], [bob[0]], "Subject: no password\r\n\r\n"), 530, 550, 554)
smtp.close()
refused(lambda: demo.submit((alice[0], "wrong")), 535)
