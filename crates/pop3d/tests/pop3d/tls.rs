//! STLS. RFC 2595 §4.

use std::sync::Arc;

use auth::PlaintextAuth;
use net::{Setup, Stop, TlsFiles, TlsServer};
use pop3d::Settings;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::world::{Client, in_clear, on_every_engine, setup};

fn certificate(directory: &std::path::Path) -> (TlsServer, rustls::ClientConfig) {
    let issued = rcgen::generate_simple_self_signed(["mail.example.test".to_owned()]).expect("issued");
    let files = TlsFiles { cert: directory.join("server.pem"), key: directory.join("server.key"), names: None };
    std::fs::write(&files.cert, issued.cert.pem()).expect("written");
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).expect("written");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(issued.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    (TlsServer::new(files).expect("a server"), client.with_root_certificates(roots).with_no_client_auth())
}

#[tokio::test(flavor = "multi_thread")]
async fn under_tls_the_password_is_welcome_and_what_was_said_in_clear_is_forgotten() {
    let directory = tempfile::tempdir().expect("a directory");
    let (server, config) = certificate(directory.path());
    let (server, config) = (&server, Arc::new(config));
    on_every_engine(|world| {
        let config = config.clone();
        async move {
            let pop3d = world.with(Settings { plaintext_auth: PlaintextAuth::No, stls: true, ..in_clear() });
            let setup = Setup { tls: Some(server.clone()), ..setup(Stop::never()) };
            let mut clear = Client::new(world.wire(4096, pop3d, setup));
            assert!(clear.line().await.is_some());
            // What an attacker adds behind STLS would be answered under TLS if it were kept.
            clear.send(b"STLS\r\nCAPA\r\nNOOP\r\n");
            assert_eq!(clear.line().await.as_deref(), Some(&b"+OK Begin TLS"[..]));
            let name = ServerName::try_from("mail.example.test").expect("a name");
            let stream = TlsConnector::from(config).connect(name, clear.into_inner()).await.expect("a handshake");
            let mut client = Client::new(stream);
            assert_eq!(client.ask("PASS secret").await, "-ERR USER first");
            assert!(client.ask("CAPA").await.starts_with("+OK"));
            let capabilities = String::from_utf8(client.body().await).expect("ASCII");
            assert!(capabilities.contains("USER\r\n") && capabilities.contains("SASL PLAIN LOGIN\r\n") && !capabilities.contains("STLS"));
            assert_eq!(client.ask("STLS").await, "-ERR TLS stands already");
            assert!(client.ask("AUTH PLAIN AGFsaWNlAHNlY3JldA==").await.starts_with("+OK Maildrop"));
            assert!(client.ask("QUIT").await.starts_with("+OK"));
        }
    })
    .await;
}
