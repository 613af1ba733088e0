//! Connections that end where no client would end them: in the middle of a literal, under TLS, with and without a word.

use std::time::Duration;

use imapd::Settings;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use super::client::{Client, Stream};
use super::tls::{NAME, certificate};
use super::world::{World, on_every_engine, settings};

/// Longer than any session takes to see that its client is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// TLS's own end (RFC 8446 §6.1), then TCP's.
    CloseNotify,
    /// TCP's end alone: to TLS that is a truncation.
    End,
    /// TCP is reset: what was on its way is lost.
    Reset,
}

const CUTS: [Cut; 3] = [Cut::CloseNotify, Cut::End, Cut::Reset];

/// What a client says, and of what announced as the last literal only a part follows. The second: messages too large for memory come.
const LITERALS: [(&str, bool); 5] = [
    ("x LOGIN {18}\r\nalice", false),
    ("x LOGIN alice@example.test {6+}\r\nsec", false),
    ("l LOGIN alice@example.test secret\r\nx APPEND INBOX {200000}\r\n", true),
    ("l LOGIN alice@example.test secret\r\nx APPEND INBOX {200000+}\r\n", true),
    ("l LOGIN alice@example.test secret\r\nx APPEND INBOX {7+}\r\nwhole\r\n {200000+}\r\n", true),
];

#[tokio::test(flavor = "multi_thread")]
async fn c_11_a_session_cut_off_in_a_literal_ends_and_leaves_nothing() {
    let settings = Settings { sessions_per_user: 1, starttls: true, ..settings() };
    on_every_engine(settings, |world| async move {
        let (server, connector) = certificate();
        let world = World { tls: Some(server), ..World::clone(&world) };
        for ((said, body), cut) in LITERALS.into_iter().flat_map(|literal| CUTS.map(|cut| (literal, cut))) {
            let (stream, session) = connected(&world, cut).await;
            let mut client = Client::new(stream);
            client.response().await.expect("a greeting");
            client.command("STARTTLS").await;
            let mut stream = connector.connect(ServerName::try_from(NAME).unwrap(), client.into_stream()).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            if body {
                stream.write_all("half of a message\r\n".repeat(6_000).as_bytes()).await.unwrap();
            }
            stream.flush().await.unwrap();
            if body {
                until(|| spooled(&world) == 1, &format!("{said:?}: the spool has what came")).await;
            }
            let held = end(stream, cut).await;
            let what = format!("{} {cut:?} {said:?}", world.engine);
            tokio::time::timeout(PATIENCE, session).await.unwrap_or_else(|_| panic!("{what}: the session goes on")).unwrap();
            drop(held);
            until(|| spooled(&world) == 0, &format!("{what}: the spool is empty")).await;
            // Nothing came in, and the account's one seat is free.
            let mut next = Client::login(world.connect("127.0.0.1:1"), "alice").await;
            assert_eq!(next.command("STATUS INBOX (MESSAGES UIDNEXT)").await[0], "* STATUS INBOX (MESSAGES 0 UIDNEXT 1)", "{what}");
            next.command("LOGOUT").await;
            assert_eq!(next.response().await, None);
        }
    })
    .await;
}

/// A client that has said all it wants closes its half, and still gets its answers; nothing is made of the command it left unfinished.
#[tokio::test(flavor = "multi_thread")]
async fn c_11_after_a_half_close_all_answers_come() {
    on_every_engine(settings(), |world| async move {
        let mut client = Client::new(world.connect("127.0.0.1:1"));
        client.response().await.expect("a greeting");
        client.send_if_open(b"a LOGIN alice@example.test secret\r\nb CREATE box\r\nc CREATE never").await;
        for want in ["a OK ", "b OK "] {
            let answer = client.response().await.unwrap_or_default();
            assert!(answer.starts_with(want), "{}: {answer}", world.engine);
        }
        assert_eq!(client.response().await, None);
        let mut next = Client::login(world.connect("127.0.0.1:1"), "alice").await;
        assert_eq!(next.command("LIST \"\" (box never)").await.len(), 2);
    })
    .await;
}

/// Over TCP, for only that can be reset; served until the task ends.
async fn connected(world: &World, cut: Cut) -> (TcpStream, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    if matches!(cut, Cut::Reset) {
        socket.set_zero_linger().unwrap();
    }
    let client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    (client, world.serve(stream, "127.0.0.1:1"))
}

/// Ends it; what is left of it, so that an end is no reset.
async fn end(mut stream: TlsStream<Box<dyn Stream>>, cut: Cut) -> Option<TlsStream<Box<dyn Stream>>> {
    match cut {
        Cut::CloseNotify => stream.shutdown().await.unwrap(),
        Cut::End => stream.get_mut().0.shutdown().await.unwrap(),
        Cut::Reset => return None,
    }
    Some(stream)
}

/// Files of messages that are on their way.
fn spooled(world: &World) -> usize {
    std::fs::read_dir(&world.spool).unwrap().count()
}

async fn until(mut look: impl FnMut() -> bool, what: &str) {
    let come_true = async {
        while !look() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, come_true).await.unwrap_or_else(|_| panic!("{what}"));
}
