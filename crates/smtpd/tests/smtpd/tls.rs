//! STARTTLS (RFC 3207) and TLS from the first octet (RFC 8314).

use crate::house::{Client, HOST, House, PASSWORD, login};
use auth::PlaintextAuth;
use net::{TlsFiles, TlsServer};
use rustls::pki_types::ServerName;
use smtpd::{Role, Settings};
use std::sync::Arc;
use tokio::io::DuplexStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

struct Keys {
    server: TlsServer,
    client: TlsConnector,
}

fn keys(directory: &std::path::Path) -> Keys {
    let issued = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("issued");
    let files = TlsFiles { cert: directory.join("server.pem"), key: directory.join("server.key"), names: None };
    std::fs::write(&files.cert, issued.cert.pem()).expect("written");
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).expect("written");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let client = TlsConnector::from(Arc::new(client.with_root_certificates(roots).with_no_client_auth()));
    Keys { server: TlsServer::new(files).expect("a server"), client }
}

impl Keys {
    async fn shake(&self, client: Client<DuplexStream>) -> Client<TlsStream<DuplexStream>> {
        let (stream, session) = client.into_parts();
        let name = ServerName::try_from(HOST).expect("a name");
        Client::new(self.client.connect(name, stream).await.expect("a handshake"), session)
    }
}

fn settings(implicit_tls: bool) -> Settings {
    let mut settings = House::settings(Role::Submission);
    settings.plaintext_auth = PlaintextAuth::No;
    settings.implicit_tls = implicit_tls;
    settings.smtp.starttls = !implicit_tls;
    settings.tls_in_received = true;
    settings.login_in_received = true;
    settings
}

#[tokio::test]
async fn under_tls_passwords_are_welcome_and_what_was_said_in_clear_is_forgotten() {
    let house = House::new().await;
    let keys = keys(house.directory.path());
    let mut clear = house.connect(settings(false), "127.0.0.1:999", Some(keys.server.clone())).await;
    clear.greeted().await;
    let told = clear.say("EHLO clear.test").await;
    assert!(told.contains("\n250-STARTTLS\n") && !told.contains("AUTH"), "{told}");
    clear.says(&login("alice@example.test", PASSWORD), "538 5.7.11 ").await;
    clear.says("STARTTLS", "220 2.0.0 Ready to start TLS").await;
    let mut client = keys.shake(clear).await;
    client.says(&login("alice@example.test", PASSWORD), "503 5.5.1 Error: send HELO/EHLO first").await;
    let told = client.say("EHLO under.test").await;
    assert!(told.contains("\n250-AUTH PLAIN LOGIN\n") && !told.contains("STARTTLS"), "{told}");
    client.says("STARTTLS", "554 5.5.1 Error: TLS already active").await;
    client.says(&login("alice@example.test", PASSWORD), "235 ").await;
    let answer = client.submit("alice@example.test", &["bob@example.test"], "Subject: x\r\n\r\nhi").await;
    assert!(answer.starts_with("250 "), "{answer}");
    let message = &house.inbox(house.bob).await[0];
    for part in ["Received: from under.test (localhost [127.0.0.1])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n", "\t(Authenticated sender: alice@example.test)\r\n", " with ESMTPSA id "] {
        assert!(message.contains(part), "{part}: {message}");
    }
    crate::log::contains(&format!("Anonymous TLS connection established from localhost[127.0.0.1] to {HOST}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"));
}

#[tokio::test]
async fn what_is_injected_before_the_handshake_is_never_obeyed() {
    let house = House::new().await;
    let keys = keys(house.directory.path());
    let mut clear = house.connect(settings(false), "127.0.0.1:999", Some(keys.server.clone())).await;
    clear.greeted().await;
    clear.says("EHLO c", "250").await;
    clear.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@far.test>\r\n").await;
    assert_eq!(clear.reply().await, "554 5.5.0 Error: SMTP protocol synchronization");
    crate::log::contains("improper command pipelining after STARTTLS from localhost[127.0.0.1]");
    assert_eq!(clear.over().await, "");
}

#[tokio::test]
async fn tls_from_the_first_octet() {
    let house = House::new().await;
    let keys = keys(house.directory.path());
    let client = house.connect(settings(true), "192.0.2.1:999", Some(keys.server.clone())).await;
    let mut client = keys.shake(client).await;
    client.greeted().await;
    let told = client.say("EHLO c").await;
    assert!(told.contains("\n250-AUTH PLAIN LOGIN\n") && !told.contains("STARTTLS"), "{told}");
    client.says("STARTTLS", "502 5.5.1 ").await;
    client.says(&login("alice@example.test", PASSWORD), "235 ").await;
    client.says("QUIT", "221").await;
    crate::log::contains("postfix/smtps/smtpd: Anonymous TLS connection established from unknown[192.0.2.1]");
}
