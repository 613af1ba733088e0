//! Upgrades, certificates, and what is thrown away between clear and cipher.

use crate::toy::*;
use net::{Broken, Call, Limits, Stop, TlsClient, TlsError, TlsFiles, TlsServer, call, converse};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A self-signed pair for `name`; gives the leaf's DER.
fn issue(name: &str, cert: &Path, key: &Path) -> Vec<u8> {
    fs::create_dir_all(cert.parent().unwrap()).unwrap();
    let issued = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    fs::write(cert, issued.cert.pem()).unwrap();
    fs::write(key, issued.signing_key.serialize_pem()).unwrap();
    issued.cert.der().to_vec()
}

struct House {
    dir: TempDir,
    files: TlsFiles,
    leaf: Vec<u8>,
}

fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        cert: dir.path().join("server.crt"),
        key: dir.path().join("server.key"),
        names: Some(dir.path().join("certs")),
    };
    let leaf = issue("mail.example.test", &files.cert, &files.key);
    House { dir, files, leaf }
}

impl House {
    fn name(&self, name: &str) -> Vec<u8> {
        let directory = self.dir.path().join("certs").join(name);
        issue(name, &directory.join("fullchain.pem"), &directory.join("privkey.pem"))
    }
}

async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(stream: S, name: &str, roots: &Path, alpn: Option<&str>) -> std::io::Result<TlsStream<S>> {
    handshake_by(stream, name, roots, alpn, rustls::DEFAULT_VERSIONS).await
}

async fn handshake_by<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: &str,
    roots: &Path,
    alpn: Option<&str>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> std::io::Result<TlsStream<S>> {
    let mut store = rustls::RootCertStore::empty();
    let pem = fs::read(roots).unwrap();
    store.add_parsable_certificates(rustls_pemfile::certs(&mut pem.as_slice()).map(|cert| cert.unwrap()));
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

#[tokio::test]
async fn what_was_sent_in_clear_behind_starttls_is_never_obeyed() {
    let house = house();
    let (ours, theirs) = duplex(16 << 10);
    let toy = Toy::now();
    let seen = toy.seen.clone();
    let setup = net::Setup { tls: Some(TlsServer::new(house.files.clone()).unwrap()), ..setup(Stop::never()) };
    let talk = async {
        let mut client = Client::new(theirs);
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.ask("SECURED").await, "no");
        client.send("STARTTLS\r\nECHO injected\r\nECHO half").await;
        assert_eq!(client.line().await, "go");
        let stream = handshake(client.stream, "mail.example.test", &house.files.cert, None).await.unwrap();
        let mut client = Client::new(stream);
        assert_eq!(client.ask("ECHO safe").await, "safe");
        assert_eq!(client.ask("SECURED").await, "TLSv1.3 Some(\"mail.example.test\")");
        assert_eq!(client.ask("QUIT").await, "bye");
        assert_eq!(client.line().await, "EOF");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), toy, setup, daemon), talk);
    assert_eq!(ended.unwrap(), "end");
    assert_eq!(seen.upgrades.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn bodies_go_through_implicit_tls() {
    let house = house();
    let (ours, theirs) = duplex(4096);
    let setup = net::Setup { tls: Some(TlsServer::new(house.files.clone()).unwrap()), implicit: true, ..setup(Stop::never()) };
    let talk = async {
        let mut client = Client::new(handshake(theirs, "mail.example.test", &house.files.cert, None).await.unwrap());
        assert_eq!(client.line().await, "hello");
        let body = vec![7; 1_000_000];
        assert_eq!(client.ask(&format!("UP {}", body.len())).await, "go");
        client.send(&body).await;
        assert_eq!(client.line().await, format!("{} {}", body.len(), sum(0, &body)));
        assert_eq!(client.ask("DOWN 3000000").await, "3000000");
        client.skip(3_000_000).await;
        assert_eq!(client.line().await, "end");
        assert_eq!(client.ask("QUIT").await, "bye");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup, daemon), talk);
    assert_eq!(ended.unwrap(), "end");
}

/// RFC 9266: both ends have the same, and each connection another. TLS 1.2 has none here.
#[tokio::test]
async fn a_login_can_be_bound_to_the_connection() {
    let house = house();
    let mut seen = Vec::new();
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS13], &[&rustls::version::TLS12]] {
        let (ours, theirs) = duplex(4096);
        let setup = net::Setup { tls: Some(TlsServer::new(house.files.clone()).unwrap()), implicit: true, ..setup(Stop::never()) };
        let talk = async {
            let stream = handshake_by(theirs, "mail.example.test", &house.files.cert, None, versions).await.unwrap();
            let exported = stream.get_ref().1.export_keying_material([0_u8; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
            let mut client = Client::new(stream);
            assert_eq!(client.line().await, "hello");
            let told = client.ask("BINDING").await;
            assert_eq!(client.ask("QUIT").await, "bye");
            (format!("{:?}", Some(exported)), told)
        };
        let (ended, told) = tokio::join!(converse(over(ours), Toy::now(), setup, daemon), talk);
        assert_eq!(ended.unwrap(), "end");
        seen.push(told);
    }
    let [(ours, told), (_, another), (_, old)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(ours, told);
    assert_ne!(told, another);
    assert_eq!(old, "None");
}

#[tokio::test]
async fn c_11_a_peer_that_closes_its_half_sees_a_proper_end_of_tls() {
    let house = house();
    let (ours, theirs) = duplex(4096);
    let setup = net::Setup { tls: Some(TlsServer::new(house.files.clone()).unwrap()), implicit: true, ..setup(Stop::never()) };
    let talk = async {
        let mut stream = handshake(theirs, "mail.example.test", &house.files.cert, None).await.unwrap();
        stream.write_all(b"ECHO one\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.expect("close_notify, or the answer could have been cut short by anybody");
        assert_eq!(all, "hello\r\none\r\n");
    };
    let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup, daemon), talk);
    assert_eq!(ended.unwrap(), "peer");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_fails_or_stands_still_ends_the_session() {
    let house = house();
    let tls = TlsServer::new(house.files.clone()).unwrap();
    for octets in [&b"GET / HTTP/1.0\r\n\r\n"[..], b""] {
        let (ours, theirs) = duplex(1024);
        let begun = tokio::time::Instant::now();
        let setup = net::Setup { tls: Some(tls.clone()), ..setup(Stop::never()) };
        let talk = async {
            let mut client = Client::new(theirs);
            assert_eq!(client.line().await, "hello");
            assert_eq!(client.ask("STARTTLS").await, "go");
            client.send(octets).await;
            while client.line().await != "EOF" {}
        };
        let (ended, ()) = tokio::join!(converse(over(ours), Toy::now(), setup, daemon), talk);
        assert_eq!(ended.unwrap(), "peer");
        assert_eq!(begun.elapsed().as_secs(), if octets.is_empty() { 60 } else { 0 });
    }
    let (ours, _theirs) = duplex(1024);
    let setup = net::Setup { tls: Some(tls), implicit: true, ..setup(Stop::never()) };
    let ended = converse(over(ours), Toy::now(), setup, daemon).await;
    assert!(matches!(ended, Err(Broken::Handshake(_))));
}

/// Which leaf a client gets that asks for `name`.
async fn shown(tls: &TlsServer, name: &str, alpn: Option<&str>) -> Option<Vec<u8>> {
    let (ours, theirs) = duplex(16 << 10);
    let setup = net::Setup { tls: Some(tls.clone()), implicit: true, ..setup(Stop::never()) };
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    config.alpn_protocols = alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    let server = tokio::spawn(converse(over(ours), Toy::now(), setup, daemon));
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name.to_owned()).unwrap(), theirs).await.ok()?;
    let leaf = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    server.abort();
    Some(leaf)
}

#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn each_name_gets_its_certificate() {
    let house = house();
    let (one, wild) = (house.name("one.test"), house.name("*.two.test"));
    fs::create_dir_all(house.dir.path().join("certs/empty.test")).unwrap();
    let tls = TlsServer::new(house.files.clone()).unwrap();
    for (name, leaf) in [("one.test", &one), ("ONE.test", &one), ("mx.two.test", &wild), ("a.mx.two.test", &house.leaf), ("empty.test", &house.leaf)] {
        assert_eq!(shown(&tls, name, None).await.as_ref(), Some(leaf), "{name}");
        assert_eq!(tls.certificate(Some(name)).unwrap().to_vec(), *leaf);
    }
    let imap = tls.for_service(Some("imap"));
    assert_eq!(shown(&imap, "one.test", Some("imap")).await.as_ref(), Some(&one));
    assert_eq!(shown(&imap, "one.test", None).await.as_ref(), Some(&one));
    assert_eq!(shown(&imap, "one.test", Some("http/1.1")).await, None, "a browser sent to the wrong port");
}

#[tokio::test]
async fn a_reload_is_all_or_nothing() {
    let house = house();
    let old = house.name("one.test");
    let tls = TlsServer::new(house.files.clone()).unwrap();
    let imap = tls.for_service(Some("imap"));
    let new = house.name("one.test");
    let broken = house.dir.path().join("certs/two.test");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("fullchain.pem"), "nothing").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("two.test/fullchain.pem") && error.contains("no certificate"), "{error}");
    assert_eq!(shown(&imap, "one.test", None).await, Some(old));
    house.name("two.test");
    tls.reload().unwrap();
    assert_eq!(shown(&imap, "one.test", None).await, Some(new));
}

#[test]
fn bad_files_are_named() {
    let house = house();
    let broken = |change: &dyn Fn(&mut TlsFiles)| {
        let mut files = house.files.clone();
        change(&mut files);
        TlsServer::new(files).err().unwrap()
    };
    let other = house.dir.path().join("other");
    issue("other.test", &other.join("crt"), &other.join("key"));
    fs::write(other.join("half"), "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(broken(&|files| files.cert = "/nonexistent".into()), TlsError::Unreadable { path, .. } if path == Path::new("/nonexistent")));
    assert!(matches!(broken(&|files| files.key = files.cert.clone()), TlsError::NoKey { .. }));
    assert!(matches!(broken(&|files| files.cert = files.key.clone()), TlsError::NoCertificate { .. }));
    assert!(matches!(broken(&|files| files.key = other.join("key")), TlsError::NoPair { .. }));
    assert!(matches!(broken(&|files| files.cert = other.join("half")), TlsError::BadPem { .. }));
}

mod calling {
    //! The client's end: a toy that sends one STARTTLS and one ECHO.

    use super::*;
    use bytes::BytesMut;
    use dialogue::{Answer, BareLf, Dialogue, Ended, Event, Lines, Wants};
    use std::time::Instant;

    struct Caller {
        lines: Lines,
        wants: Wants,
    }

    impl Dialogue for Caller {
        type Command = String;
        type Answer = String;
        fn receive(&mut self, input: &mut BytesMut, _: Instant) -> Option<Event<String>> {
            let line = self.lines.take(input)?;
            self.wants = Wants::ANSWERS;
            Some(Event::Command(String::from_utf8_lossy(&line.text).into_owned()))
        }
        fn ended(&mut self, why: Ended, _: Instant) -> Option<Event<String>> {
            self.wants = Wants::NOTHING;
            Some(Event::Ended(why))
        }
        fn wants(&self) -> Wants {
            self.wants
        }
        fn answer(&mut self, part: Answer<String>, out: &mut BytesMut, _: Instant) {
            self.wants = match part {
                Answer::Done(line) => {
                    out.extend_from_slice(line.as_bytes());
                    Wants::INPUT
                }
                Answer::Upgrade(_) => Wants::UPGRADE,
                _ => Wants::CLOSE,
            };
        }
        fn upgraded(&mut self, _: Instant) {
            self.wants = Wants::ANSWERS;
        }
        fn deadline(&self) -> Option<Instant> {
            None
        }
    }

    async fn caller(mut talk: net::Conversation<Caller>) -> Result<String, Option<net::Failure>> {
        let mut replies = Vec::new();
        for answer in [Answer::Done("STARTTLS\r\n".into()), Answer::Upgrade(String::new())] {
            match talk.next().await {
                Some(Event::Command(reply)) => replies.push(reply),
                _ => return Err(talk.failure()),
            }
            talk.answer(answer).await.map_err(|_| talk.failure())?;
        }
        if talk.answer(Answer::Done("ECHO hi\r\n".into())).await.is_err() {
            return Err(talk.failure());
        }
        match talk.next().await {
            Some(Event::Command(reply)) => replies.push(reply),
            _ => return Err(talk.failure()),
        }
        assert!(talk.secured());
        let _ = talk.answer(Answer::Close(String::new())).await;
        Ok(replies.join(" "))
    }

    async fn dial(tls: TlsClient, server: &TlsServer) -> Result<String, Option<net::Failure>> {
        let (ours, theirs) = duplex(16 << 10);
        let setup = net::Setup { tls: Some(server.clone()), ..setup(Stop::never()) };
        let how = Call { tls: Some(tls), implicit: false, limits: Limits::default(), stop: Stop::never() };
        let dialogue = Caller { lines: Lines::new(1000, BareLf::Ends), wants: Wants::INPUT };
        let both = async {
            tokio::join!(converse(over(ours), Toy::now(), setup, daemon), call(over(theirs), dialogue, how, caller))
        };
        let (_, called) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        called.unwrap()
    }

    #[tokio::test]
    async fn believes_what_it_was_told_to_believe() {
        let house = house();
        let server = TlsServer::new(house.files.clone()).unwrap();
        let roots = &house.files.cert;
        assert_eq!(dial(TlsClient::opportunistic("whoever.test").unwrap(), &server).await.unwrap(), "hello go hi");
        assert_eq!(dial(TlsClient::verified("mail.example.test", roots).unwrap(), &server).await.unwrap(), "hello go hi");
        let wrong = dial(TlsClient::verified("other.example.test", roots).unwrap(), &server).await;
        assert!(matches!(wrong, Err(Some(net::Failure::Handshake(_)))), "{wrong:?}");
    }
}
