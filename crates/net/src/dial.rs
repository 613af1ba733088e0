//! Connections that we make.

use crate::listen::{Connection, Socket};
use crate::peer::Peer;
use rustix::net::sockopt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// Connects to `remote` for `service`, within `limit`.
///
/// # Errors
/// As connect(2); `TimedOut` when the time was over.
pub async fn dial(remote: SocketAddr, service: &'static str, limit: Duration) -> io::Result<Connection<Socket>> {
    let connected = tokio::time::timeout(limit, TcpStream::connect(remote)).await;
    let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    sockopt::set_tcp_nodelay(&stream, true)?;
    let peer = Peer::new(remote, stream.local_addr()?, service);
    Ok(Connection { stream: Socket::Tcp(stream), peer })
}
