//! Our own users.

use crate::house::{HOST, House, PASSWORD, login};
use smtpd::Role;

#[tokio::test]
async fn nobody_sends_without_login() {
    let house = House::new().await;
    let mut client = house.client(Role::Submission).await;
    let told = client.say("EHLO c").await;
    assert!(told.contains("\n250-AUTH PLAIN LOGIN\n"), "{told}");
    for from in ["", "alice@example.test"] {
        client.says(&format!("MAIL FROM:<{from}>"), "530 5.7.0 Authentication required").await;
    }
    client.says("RCPT TO:<bob@example.test>", "503 5.5.1 Error: need MAIL command").await;
}

#[tokio::test]
async fn no_login_in_clear_from_afar_and_none_on_port_25() {
    let house = House::new().await;
    let mut client = house.client_of(House::settings(Role::Submission), "192.0.2.7:999").await;
    assert!(!client.say("EHLO c").await.contains("AUTH"));
    client.says(&login("alice@example.test", PASSWORD), "538 5.7.11 ").await;
    let mut client = house.client(Role::Relay).await;
    assert!(!client.say("EHLO c").await.contains("AUTH"));
    client.says(&login("alice@example.test", PASSWORD), "503 5.5.1 Error: authentication not enabled").await;
}

#[tokio::test]
async fn logins() {
    let house = House::new().await;
    let mut client = house.client(Role::Submission).await;
    client.says("EHLO c", "250").await;
    client.says(&login("alice@example.test", "wrong"), "535 5.7.8 Error: authentication failed: ").await;
    client.says(&login("nobody@example.test", PASSWORD), "535 5.7.8 Error: authentication failed: ").await;
    client.says("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    client.says("*", "501 5.7.0 Authentication aborted").await;
    client.says("AUTH PLAIN", "334").await;
    client.says("%%%", "501 5.5.2 ").await;
    client.says("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    client.says(&sasl::base64::encode(b"alice@example.test"), "334 UGFzc3dvcmQ6").await;
    client.says(&sasl::base64::encode(PASSWORD.as_bytes()), "235 2.7.0 Authentication successful").await;
    client.says("AUTH PLAIN", "503 5.5.1 Error: already authenticated").await;
    client.says("QUIT", "221").await;
    client.over().await;
}

#[tokio::test]
async fn one_sends_as_oneself() {
    let house = House::new().await;
    let mut client = house.submitter().await;
    for (from, answer) in [
        ("bob@example.test", "553 5.7.1 <bob@example.test>: Sender address rejected: not owned by user alice@example.test"),
        ("x@far.test", "553 5.7.1 "),
        ("away@example.test", "553 5.7.1 "),
        ("both@example.test", "250"),
        ("alice@example.test", "250"),
        ("Alice@Example.Test", "250"),
        ("info@example.test", "250"),
        ("", "250"),
    ] {
        client.says(&format!("MAIL FROM:<{from}>"), answer).await;
        client.says("RSET", "250").await;
    }
}

#[tokio::test]
async fn what_is_missing_is_added_and_what_is_secret_taken_out() {
    let house = House::new().await;
    let mut client = house.submitter().await;
    let answer = client.submit("alice@example.test", &["bob@example.test"], "Subject: x\r\nBcc: bob@example.test\r\n\r\nhi").await;
    let id = answer.strip_prefix("250 2.0.0 Ok: queued as ").expect(&answer).to_owned();
    let inbox = house.inbox(house.bob).await;
    let message = &inbox[0];
    assert!(message.contains(&format!(") with ESMTPA id {id}\r\n")), "{message}");
    assert!(message.contains(&format!("\r\nMessage-ID: <{id}@{HOST}>\r\n")), "{message}");
    assert!(message.contains("\r\nDate: "), "{message}");
    assert!(!message.contains("Bcc"), "{message}");
    assert!(message.ends_with("Subject: x\r\n\r\nhi\r\n"), "{message}");
}

#[tokio::test]
async fn mail_for_elsewhere_is_refused_where_there_is_no_way() {
    let mut house = House::new().await;
    house.transport = "error:5.3.2 nothing leaves this house";
    let mut client = house.submitter().await;
    client.says("MAIL FROM:<alice@example.test>", "250").await;
    client.says("RCPT TO:<x@elsewhere.test>", "550 5.3.2 <x@elsewhere.test>: Recipient address rejected: nothing leaves this house").await;
    client.says("RCPT TO:<bob@example.test>", "250").await;
}

#[tokio::test]
async fn a_disabled_account_or_a_guesser_is_sent_away() {
    let house = House::new().await;
    let mut client = house.client(Role::Submission).await;
    client.says("EHLO c", "250").await;
    for _ in 0..20 {
        client.says(&login("alice@example.test", "guess"), "535").await;
    }
    assert_eq!(client.over().await, format!("421 4.7.0 {HOST} Error: too many errors"));
}
