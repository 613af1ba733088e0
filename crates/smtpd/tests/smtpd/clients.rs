//! What mail programs say, word for word, where it is not what the grammar has.

use crate::house::{HOST, House, PASSWORD};
use sasl::base64::encode;
use smtpd::Role;

const NAME: &str = "alice@example.test";

/// Says each line and hears the reply that begins so; then sends a message, which bob gets.
async fn sends(lines: &[(&str, &str)], message: &str) -> String {
    let house = House::new().await;
    let mut client = house.client(Role::Submission).await;
    for (line, reply) in lines {
        client.says(line, reply).await;
    }
    client.says("DATA", "354 ").await;
    client.send(message.as_bytes()).await;
    client.says(".", "250 2.0.0 Ok: queued as ").await;
    client.says("QUIT", "221 ").await;
    client.over().await;
    house.inbox(house.bob).await.pop().expect("bob has it")
}

/// A NetBIOS name with an underscore, AUTH LOGIN with the user on its line (MS-XLOGIN), a space behind the colon.
#[tokio::test]
async fn outlook() {
    let (name, password) = (encode(NAME.as_bytes()), encode(PASSWORD.as_bytes()));
    let got = sends(
        &[
            ("EHLO DESKTOP_4F2", &format!("250-{HOST}")),
            (&format!("AUTH LOGIN {name}"), "334 UGFzc3dvcmQ6"),
            (&password, "235 2.7.0 "),
            ("MAIL FROM: <alice@example.test>", "250 2.1.0 Ok"),
            ("RCPT TO: <bob@example.test>", "250 2.1.5 Ok"),
        ],
        "From: \"Alice\" <alice@example.test>\r\nTo: <bob@example.test>\r\nSubject: hi\r\nX-Mailer: Microsoft Outlook 16.0\r\n\r\nhi\r\n\r\n",
    )
    .await;
    assert!(got.contains("from DESKTOP_4F2 (") && got.ends_with("\r\n\r\nhi\r\n\r\n"), "{got}");
}

/// Old devices and scripts: bare addresses.
#[tokio::test]
async fn bare_addresses() {
    let (name, password) = (encode(NAME.as_bytes()), encode(PASSWORD.as_bytes()));
    let got = sends(
        &[
            ("EHLO scanner", &format!("250-{HOST}")),
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            (&name, "334 UGFzc3dvcmQ6"),
            (&password, "235 2.7.0 "),
            ("MAIL FROM:alice@example.test", "250 2.1.0 Ok"),
            ("RCPT TO: bob@example.test", "250 2.1.5 Ok"),
        ],
        "Subject: scan\r\n\r\n1\r\n",
    )
    .await;
    assert!(got.starts_with("Return-Path: <alice@example.test>\r\n"), "{got}");
}

/// Thunderbird: an address literal, AUTH PLAIN at once, BODY and SIZE, an 8-bit body.
#[tokio::test]
async fn thunderbird() {
    let login = encode(format!("\0{NAME}\0{PASSWORD}").as_bytes());
    let got = sends(
        &[
            ("EHLO [127.0.0.1]", &format!("250-{HOST}")),
            (&format!("AUTH PLAIN {login}"), "235 2.7.0 "),
            ("MAIL FROM:<alice@example.test> BODY=8BITMIME SIZE=382", "250 2.1.0 Ok"),
            ("RCPT TO:<bob@example.test>", "250 2.1.5 Ok"),
        ],
        "Message-ID: <1@example.test>\r\nDate: Tue, 24 Nov 2026 15:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8; format=flowed\r\n\
         Content-Transfer-Encoding: 8bit\r\nSubject: hi\r\n\r\n\u{4f60}\u{597d}\r\n",
    )
    .await;
    assert!(got.contains("[127.0.0.1]") && got.ends_with("\r\n\r\n\u{4f60}\u{597d}\r\n"), "{got}");
    assert_eq!(got.matches("Message-ID:").count(), 1, "{got}");
}

/// iOS and macOS: EHLO with an address literal of IPv6, a second EHLO, RSET, several messages, no QUIT.
#[tokio::test]
async fn apple_mail() {
    let house = House::new().await;
    let mut client = house.client(Role::Submission).await;
    let login = encode(format!("\0{NAME}\0{PASSWORD}").as_bytes());
    client.says("EHLO [IPv6:2001:db8::1]", &format!("250-{HOST}")).await;
    client.says("EHLO smtpclient.apple", &format!("250-{HOST}")).await;
    client.says("AUTH PLAIN", "334").await;
    client.says(&login, "235 2.7.0 ").await;
    for n in 1..=2 {
        client.says("RSET", "250 ").await;
        let reply = client.submit(NAME, &["bob@example.test"], &format!("Subject: {n}\r\n\r\nx")).await;
        assert!(reply.starts_with("250 2.0.0 "), "{reply}");
    }
    drop(client);
    assert_eq!(house.inbox(house.bob).await.len(), 2);
}

/// Everything in lower case, in one packet as PIPELINING allows.
#[tokio::test]
async fn lower_case_and_pipelined() {
    let house = House::new().await;
    let mut client = house.submitter().await;
    client.send(b"mail from:<alice@example.test> body=8bitmime\r\nrcpt to:<bob@example.test>\r\ndata\r\n").await;
    for code in ["250 2.1.0", "250 2.1.5", "354"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(code), "{reply}");
    }
    client.says("subject: x\r\n\r\nx\r\n.", "250 2.0.0 ").await;
}
