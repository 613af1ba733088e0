//! The program and Debian's Postfix, each with a host of its own (`tests/lab`), send to each other: plainly, by STARTTLS, by submission with a
//! login, a big letter, and to recipients half of whom are refused.

use std::time::Duration;

use house_tests::lab::Lab;
use house_tests::until::{SOON, within};

/// How many octets a big letter begins with, before base64 makes it a third larger.
const BIG: usize = 15_000_000;
/// Between two looks: a command on a host is some processes.
const AGAIN: Duration = Duration::from_millis(200);

/// `mail` with the program, `other` with Postfix.
struct Peers(Lab);

impl Peers {
    fn up(test: &str) -> Option<Peers> {
        let peers = Peers(Lab::up(test, env!("CARGO_BIN_EXE_lab-dns"), &["openssl", "postfix", "dovecot"])?);
        assert_eq!(peers.on("mail", include_str!("../peers/ours")), "");
        assert_eq!(peers.on("other", include_str!("../peers/postfix")), "");
        for (host, port) in [("mail", 25), ("mail", 587), ("other", 25), ("other", 587)] {
            peers.told(host, &format!("ss -tln | grep ':{port} '"), "LISTEN");
        }
        Some(peers)
    }

    fn on(&self, host: &str, command: &str) -> String {
        self.0.on(host, command, "")
    }

    /// Waits until a command says `what`, and gives all that it says.
    #[track_caller]
    fn told(&self, host: &str, command: &str, what: &str) -> String {
        let mut last = String::new();
        let looks = SOON.as_millis() / AGAIN.as_millis();
        for _ in 0..looks {
            last = self.on(host, command);
            if last.contains(what) {
                return last;
            }
            std::thread::sleep(AGAIN);
        }
        panic!("{host}# {command}\n{what:?} is not in\n{last}\n--- the logs\n{}{}", self.0.log("mail"), self.0.log("other"));
    }

    /// The lines of a log about a recipient, once one says `what`.
    #[track_caller]
    fn logged(&self, host: &str, to: &str, what: &str) -> String {
        self.told(host, &format!("grep 'to=<{to}>' /var/log/maillog"), what)
    }

    /// Sends on `host` a letter with this subject.
    fn send(&self, host: &str, from: &str, to: &str, subject: &str) {
        assert_eq!(self.0.on(host, &format!("sendmail -f {from} {to}"), &format!("Subject: {subject}\n\nHello.\n")), "");
    }

    /// Sets parameters, and waits until they count.
    fn set(&self, host: &str, parameters: &[&str]) {
        let (reload, told) = if host == "mail" { ("pkill -HUP posthouse", "reloaded: ") } else { ("postfix reload 2>/dev/null", "reload -- version") };
        let count = || self.on(host, &format!("grep -c '{told}' /var/log/maillog")).trim().parse::<usize>().expect("a count");
        let before = count();
        let quoted: Vec<String> = parameters.iter().map(|parameter| format!("'{parameter}'")).collect();
        assert_eq!(self.on(host, &format!("postconf -e {} && {reload}", quoted.join(" "))), "");
        within(SOON, told, || (count() > before).then_some(()));
        // What Postfix has open was opened before, and may be used again; ours are not.
        if host != "mail" {
            within(SOON, "the end of its connections", || self.on(host, "ss -Htn state established '( dport = :25 or dport = :587 )'").is_empty().then_some(()));
        }
    }

    /// The letters in the Maildir of a user of the program, once one has this subject.
    #[track_caller]
    fn maildir(&self, user: &str, subject: &str) -> String {
        self.told("mail", &format!("cat /var/lib/posthouse/mail/linuxcast.net/{user}/new/*"), &format!("Subject: {subject}\n"))
    }

    /// The mbox of a user of the other, once a letter has this subject.
    #[track_caller]
    fn mbox(&self, user: &str, subject: &str) -> String {
        self.told("other", &format!("cat /var/mail/{user}"), &format!("Subject: {subject}\n"))
    }

    /// Writes a big letter on `host`; gives the digest of its body.
    fn big(&self, host: &str) -> String {
        self.on(host, &format!("{{ printf 'Subject: big\\n\\n'; head -c {BIG} /dev/urandom | base64; }} >/root/big; sed 1,2d /root/big | md5sum"))
    }
}

#[test]
fn postfix_sends_to_it() {
    let Some(peers) = Peers::up("postfix_sends_to_it") else { return };
    peers.send("other", "alice", "nash_su@linuxcast.net", "plain");
    let letter = peers.maildir("nash_su", "plain");
    assert!(letter.contains("Received: from other.linuxcast.net ") && letter.contains(" with ESMTP id ") && letter.contains("Return-Path: <alice@other.linuxcast.net>"), "{letter}");

    peers.send("other", "alice", "root@linuxcast.net no.one@linuxcast.net nash_su@linuxcast.net no.two@linuxcast.net", "half of them");
    for to in ["no.one", "no.two"] {
        let to = format!("{to}@linuxcast.net");
        peers.logged("other", &to, "status=bounced (host mail.linuxcast.net[192.0.2.2] said: 550 5.1.1 ");
        let bounce = peers.mbox("alice", "Undelivered Mail Returned to Sender");
        assert!(bounce.contains(&format!("\nFinal-Recipient: rfc822; {to}\n")) && !bounce.contains("Final-Recipient: rfc822; root@"), "{bounce}");
    }
    for user in ["root", "nash_su"] {
        peers.maildir(user, "half of them");
    }

    let digest = peers.big("other");
    assert_eq!(peers.on("other", "sendmail -f alice root@linuxcast.net </root/big"), "");
    peers.told("mail", "grep -l '^Subject: big' /var/lib/posthouse/mail/linuxcast.net/root/new/*", "/new/");
    let got = peers.on("mail", "sed '1,/^\\r*$/d' $(grep -l '^Subject: big' /var/lib/posthouse/mail/linuxcast.net/root/new/*) | tr -d '\\r' | md5sum");
    assert_eq!(got, digest);

    peers.set("other", &["smtp_tls_security_level = encrypt"]);
    peers.send("other", "alice", "nash_su@linuxcast.net", "by TLS");
    let letter = peers.maildir("nash_su", "by TLS");
    assert!(letter.contains("using TLSv1.3") && letter.contains(" with ESMTPS id "), "{letter}");

    peers.set("other", &["smtp_sasl_auth_enable = yes", "relayhost = [mail.linuxcast.net]:587"]);
    peers.send("other", "nash_su@linuxcast.net", "nash_su@linuxcast.net", "by login");
    let letter = peers.maildir("nash_su", "by login");
    assert!(letter.contains(" with ESMTPSA id "), "{letter}");
    // who has logged in writes as himself
    peers.send("other", "root@linuxcast.net", "alice@other.linuxcast.net", "as another");
    assert!(peers.mbox("alice", "as another").contains("Hello."), "mail to itself goes by no other host");
    peers.send("other", "bob", "root@linuxcast.net", "forged");
    peers.logged("other", "root@linuxcast.net", "status=bounced (host mail.linuxcast.net[192.0.2.2] said: 553 5.7.1 ");
}

#[test]
fn it_sends_to_postfix() {
    let Some(peers) = Peers::up("it_sends_to_postfix") else { return };
    peers.send("mail", "nash_su", "alice@other.linuxcast.net", "plain");
    let letter = peers.mbox("alice", "plain");
    assert!(letter.contains("Received: from mail.linuxcast.net (unknown [192.0.2.2])\n\tby other.linuxcast.net (Postfix) with ESMTP id ") && letter.contains("Return-Path: <nash_su@linuxcast.net>"), "{letter}");

    peers.send("mail", "nash_su", "alice@other.linuxcast.net no.one@other.linuxcast.net bob@other.linuxcast.net no.two@other.linuxcast.net", "half of them");
    let bounce = peers.maildir("nash_su", "Undelivered Mail Returned to Sender");
    for to in ["no.one", "no.two"] {
        let to = format!("{to}@other.linuxcast.net");
        peers.logged("mail", &to, "status=bounced (host other.linuxcast.net[192.0.2.4] said: 550 5.1.1 ");
        assert!(bounce.contains(&format!("\nFinal-Recipient: rfc822; {to}\n")) && !bounce.contains("Final-Recipient: rfc822; alice@"), "{bounce}");
    }
    for user in ["alice", "bob"] {
        let letters = peers.mbox(user, "half of them");
        assert_eq!(letters.matches("Subject: half of them\n").count(), 1, "{letters}\n{}", peers.0.log("mail"));
    }

    let digest = peers.big("mail");
    assert_eq!(peers.on("mail", "sendmail -f nash_su carol@other.linuxcast.net </root/big"), "");
    peers.told("other", "grep 'to=<carol@' /var/log/maillog", "status=sent (delivered to mailbox)");
    let got = peers.on("other", "sed '1,/^$/d;$d' /var/mail/carol | md5sum");
    assert_eq!(got, digest, "{}", peers.on("other", "grep carol@ /var/log/maillog; ls -l /var/mail"));

    peers.set("mail", &["smtp_tls_security_level = encrypt"]);
    peers.send("mail", "nash_su", "alice@other.linuxcast.net", "by TLS");
    let letter = peers.mbox("alice", "by TLS");
    assert!(letter.contains("using TLSv1.3") && letter.contains(" with ESMTPS id "), "{letter}");

    peers.set("mail", &["smtp_sasl_auth_enable = yes", "smtp_sasl_tls_security_options = noanonymous", "smtp_sasl_password_maps = hash:/etc/posthouse/passwords", "relayhost = [other.linuxcast.net]:587"]);
    peers.send("mail", "nash_su", "alice@other.linuxcast.net", "by login");
    assert!(peers.mbox("alice", "by login").contains(" with ESMTPSA id "));
    peers.told("other", "grep sasl_username=alice /var/log/maillog", "client=unknown[192.0.2.2], sasl_method=PLAIN, sasl_username=alice");
    peers.set("mail", &["smtp_sasl_password_maps = inline:{ {[other.linuxcast.net]:587 = alice:wrong} }"]);
    peers.send("mail", "nash_su", "bob@other.linuxcast.net", "by a wrong password");
    peers.logged("mail", "bob@other.linuxcast.net", "status=deferred (SASL authentication failed; server other.linuxcast.net[192.0.2.4] said: 535 5.7.8 ");
}
