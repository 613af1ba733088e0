//! STARTTLS: what is announced before and after, and what was said in between by who knows whom.

use std::sync::Arc;

use imapd::Settings;
use net::{TlsFiles, TlsServer};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::client::Client;
use super::world::{World, on_every_engine};

pub const NAME: &str = "mail.example.test";

/// A certificate, and a client that believes it.
pub fn certificate() -> (TlsServer, TlsConnector) {
    let directory = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert: directory.path().join("cert"), key: directory.path().join("key"), names: None };
    let issued = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    std::fs::write(&files.cert, issued.cert.pem()).unwrap();
    std::fs::write(&files.key, issued.signing_key.serialize_pem()).unwrap();
    let server = TlsServer::new(files).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (server, TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

#[tokio::test(flavor = "multi_thread")]
async fn c_02_what_is_said_before_tls_is_not_heard_after_it() {
    let settings = Settings { starttls: true, ..Settings::default() };
    on_every_engine(settings, |world| async move {
        let (server, connector) = certificate();
        let world = World { tls: Some(server), ..World::clone(&world) };
        let mut client = Client::new(world.connect("192.0.2.7:1"));
        let greeting = client.response().await.unwrap();
        assert!(greeting.contains(" STARTTLS LOGINDISABLED]") && !greeting.contains("AUTH="), "{greeting}");
        // The second command is anybody's on the way: a login for the client, or its first words under TLS.
        client.send(b"x STARTTLS\r\ny LOGIN mallory@example.test secret\r\n").await;
        assert_eq!(client.response().await.as_deref(), Some("x OK Begin TLS negotiation now"));
        let stream = connector.connect(ServerName::try_from(NAME).unwrap(), client.into_stream()).await.unwrap();
        let mut client = Client::new(stream);
        let answer = client.command("CAPABILITY").await;
        assert!(answer[0].contains("AUTH=PLAIN") && !answer[0].contains("STARTTLS") && !answer[0].contains("LOGINDISABLED"), "{answer:?}");
        let answer = client.command("STARTTLS").await;
        assert!(answer[0].starts_with("x BAD"), "{answer:?}");
        let answer = client.command("LOGIN alice@example.test secret").await;
        assert!(answer[0].starts_with("x OK [CAPABILITY"), "{answer:?}");
        let answer = client.command("STARTTLS").await;
        assert!(answer[0].starts_with("x BAD"), "{answer:?}");
    })
    .await;
}
