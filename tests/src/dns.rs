//! The least DNS server: what a test says, over UDP.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// A record of a name.
#[derive(Clone, Debug)]
pub enum Record {
    A(Ipv4Addr),
    Mx(u16, &'static str),
    Ptr(&'static str),
    Txt(&'static str),
}

/// Answers for the names it was given; of others there are none (NXDOMAIN). It ends with the test.
#[derive(Clone, Debug)]
pub struct Dns {
    at: SocketAddr,
    names: Arc<Mutex<HashMap<String, Vec<Record>>>>,
}

impl Dns {
    /// On a free port.
    pub fn start() -> Dns {
        Dns::at_address((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// On this address and port.
    pub fn at_address(address: SocketAddr) -> Dns {
        let socket = UdpSocket::bind(address).expect("a UDP socket");
        let dns = Dns { at: socket.local_addr().expect("an address"), names: Arc::default() };
        let names = dns.names.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((size, from)) = socket.recv_from(&mut packet) {
                if let Some(answer) = answer(&packet[..size], &names.lock().expect("no thread panicked")) {
                    let _ = socket.send_to(&answer, from); // who asked may be gone
                }
            }
        });
        dns
    }

    /// As `dns_servers` has it.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    /// The records of a name, in place of those before.
    pub fn set(&self, name: &str, records: &[Record]) {
        self.names.lock().expect("no thread panicked").insert(name.to_owned(), records.to_vec());
    }
}

/// RFC 1035 §4: the question again, and what there is.
fn answer(query: &[u8], names: &HashMap<String, Vec<Record>>) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut name = Vec::new();
    loop {
        let size = usize::from(*query.get(at)?);
        at += 1;
        if size == 0 {
            break;
        }
        name.push(String::from_utf8_lossy(query.get(at..at + size)?).to_lowercase());
        at += size;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let question = query.get(12..at + 4)?;
    let known = names.get(&name.join("."));
    let records: Vec<Vec<u8>> = known.into_iter().flatten().filter_map(|record| data(record, kind)).collect();
    let code = if known.is_some() { 0 } else { 3 };
    let mut out = query.get(..2)?.to_vec();
    out.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(records.len()).ok()?, 0, 0, 0, 0]);
    out.extend(question);
    for data in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        out.extend(data);
    }
    Some(out)
}

fn data(record: &Record, kind: u16) -> Option<Vec<u8>> {
    match (record, kind) {
        (Record::A(address), 1) => Some(address.octets().to_vec()),
        (Record::Mx(preference, host), 15) => Some([&preference.to_be_bytes()[..], &labels(host)?].concat()),
        (Record::Ptr(name), 12) => labels(name),
        (Record::Txt(text), 16) => Some([&[u8::try_from(text.len()).ok()?], text.as_bytes()].concat()),
        _ => None,
    }
}

fn labels(name: &str) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        data.push(u8::try_from(label.len()).ok()?);
        data.extend(label.bytes());
    }
    data.push(0);
    Some(data)
}
