//! The control "250 before COMMIT": a go-between that acknowledges a message before it hands it on.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// What a commit takes in this house; long enough that some message is always on its way.
const COMMIT: Duration = Duration::from_millis(20);

/// Listens, and speaks for the server at `upstream`, until that is gone.
pub fn before(upstream: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let at = listener.local_addr().expect("a port");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // Like the server itself: once it is dead, nobody answers.
            let Ok(server) = TcpStream::connect(upstream) else { return };
            std::thread::spawn(move || {
                // Either side may leave at any time; then so does the other.
                let _ = speak(client, server);
            });
        }
    });
    at
}

fn speak(client: TcpStream, server: TcpStream) -> Result<()> {
    let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
    client.get_mut().write_all(&reply(&mut server)?)?;
    loop {
        let command = line(&mut client)?;
        server.get_mut().write_all(&command)?;
        client.get_mut().write_all(&reply(&mut server)?)?;
        if command == b"DATA\r\n" {
            let mut body = Vec::new();
            while !body.ends_with(b"\r\n.\r\n") {
                body.extend(line(&mut client)?);
            }
            client.get_mut().write_all(b"250 2.0.0 Ok: surely\r\n")?;
            std::thread::sleep(COMMIT);
            server.get_mut().write_all(&body)?;
            reply(&mut server)?;
        }
    }
}

fn line(from: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    match from.read_until(b'\n', &mut line)? {
        0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line),
    }
}

fn reply(from: &mut BufReader<TcpStream>) -> Result<Vec<u8>> {
    let mut reply = Vec::new();
    loop {
        let next = line(from)?;
        let last = next.get(3) != Some(&b'-');
        reply.extend(next);
        if last {
            return Ok(reply);
        }
    }
}
