//! Listeners and the accept loop, over real sockets.

use crate::toy::*;
use net::{At, Caps, Listener, Setup, Socket, Stopper, serve};
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

fn start(listener: Listener, setup: Setup) -> JoinHandle<()> {
    tokio::spawn(serve(listener, setup, |_| Toy::now(), |talk| async { assert_ne!(daemon(talk).await, "") }))
}

fn address(listener: &Listener) -> SocketAddr {
    match listener.at() {
        At::Tcp(address) => *address,
        At::Unix { .. } => panic!("{listener}"),
    }
}

/// C-16 of the traps of IMAP, and the same for every protocol.
#[tokio::test]
async fn c_16_a_panic_ends_one_session_and_a_stop_all() {
    let stopper = Stopper::new();
    let listener = Listener::bind(&loopback(), "toy").unwrap();
    let address = address(&listener);
    assert_ne!(address.port(), 0);
    let serving = start(listener, setup(stopper.stop()));
    let mut one = Client::new(TcpStream::connect(address).await.unwrap());
    let mut two = Client::new(TcpStream::connect(address).await.unwrap());
    assert_eq!(one.line().await, "hello");
    assert_eq!(two.line().await, "hello");
    assert_eq!(one.ask("PANIC").await, "sorry");
    assert_eq!(one.line().await, "EOF");
    assert_eq!(two.ask("ECHO alive").await, "alive");
    stopper.request(Duration::from_secs(30));
    assert_eq!(two.line().await, "bye Stop");
    assert_eq!(two.line().await, "EOF");
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn who_finds_no_seat_is_told() {
    let stopper = Stopper::new();
    let listener = Listener::bind(&loopback(), "toy").unwrap();
    let address = address(&listener);
    let caps = Caps::new(1, 1);
    start(listener, Setup { caps: caps.clone(), ..setup(stopper.stop()) });
    let mut one = Client::new(TcpStream::connect(address).await.unwrap());
    assert_eq!(one.line().await, "hello");
    let mut two = Client::new(TcpStream::connect(address).await.unwrap());
    assert_eq!(two.line().await, "busy");
    assert_eq!(two.line().await, "EOF");
    assert_eq!(one.ask("QUIT").await, "bye");
    assert_eq!(one.line().await, "EOF");
    while caps.sessions() > 0 {
        tokio::task::yield_now().await;
    }
    let mut three = Client::new(TcpStream::connect(address).await.unwrap());
    assert_eq!(three.line().await, "hello");
}

#[tokio::test]
async fn the_last_reply_arrives_though_the_peer_was_still_talking() {
    let stopper = Stopper::new();
    let listener = Listener::bind(&loopback(), "toy").unwrap();
    let address = address(&listener);
    start(listener, setup(stopper.stop()));
    for _ in 0..50 {
        let mut client = Client::new(TcpStream::connect(address).await.unwrap());
        client.send(format!("QUIT\r\n{}", "ECHO unheard\r\n".repeat(2000))).await;
        assert_eq!(client.line().await, "hello");
        assert_eq!(client.line().await, "bye");
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.line().await, "EOF");
    }
}

#[tokio::test]
async fn two_cannot_listen_at_one_place_and_are_told_so() {
    let listener = Listener::bind(&loopback(), "toy").unwrap();
    let error = Listener::bind(listener.at(), "toy").unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen at {listener}: ")) && error.contains("ss -ltnp") && error.contains("change toy_listen or"), "{error}");
    let error = Listener::bind(&"192.0.2.1:2525".parse().unwrap(), "toy").unwrap_err().to_string();
    assert!(error.contains("no such address"), "{error}");
}

#[tokio::test]
async fn accepted_connections_inherit_nodelay_and_know_their_ends() {
    let standard = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for listener in [Listener::bind(&loopback(), "toy").unwrap(), Listener::adopt(standard, "toy").unwrap()] {
        let client = TcpStream::connect(address(&listener)).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let Socket::Tcp(stream) = &accepted.stream else { panic!() };
        assert!(stream.nodelay().unwrap());
        assert_eq!(accepted.peer.remote, client.local_addr().unwrap());
        assert_eq!(accepted.peer.local, client.peer_addr().unwrap());
    }
}

#[tokio::test]
async fn a_unix_socket_is_replaced_if_dead_and_kept_if_alive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lmtp");
    let at: At = format!("unix:{}", path.display()).parse().unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as after a crash");
    let listener = Listener::bind(&at, "lmtp").unwrap();
    assert!(Listener::bind(&at, "lmtp").unwrap_err().to_string().contains("another process listens there"));
    let client = UnixStream::connect(&path).await.unwrap();
    let peer = listener.accept().await.unwrap().peer;
    assert_eq!(peer.user.unwrap().uid, client.peer_cred().unwrap().uid());
    drop(listener);
    assert!(!path.exists(), "it cleans up");
    fs::write(&path, "precious").unwrap();
    assert!(Listener::bind(&at, "lmtp").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn places_are_read_and_printed() {
    for text in ["127.0.0.1:25", "[::1]:993", "unix:/run/lmtp"] {
        assert_eq!(text.parse::<At>().unwrap().to_string(), text);
    }
    for text in ["", "25", "localhost:25", "unix:", "unix:relative", "127.0.0.1", "127.0.0.1:99999"] {
        assert!(text.parse::<At>().is_err(), "{text}");
    }
}

/// A task is one allocation for all it may ever do: what talks, the loop, the handshake. They lie in boxes, so that none is there twice or too early.
#[tokio::test]
async fn the_task_of_a_session_is_small_whatever_its_handler_needs() {
    const TASK: usize = 2 << 10;
    let (_client, server) = tokio::io::duplex(64);
    let handler = |talk| async move {
        let large = [1_u8; 64 << 10];
        let said = daemon(talk).await;
        (large.len(), said)
    };
    let task = net::converse(over(server), Toy::now(), setup(net::Stop::never()), handler);
    let size = size_of_val(&task);
    assert!(size <= TASK, "{size}");
}
