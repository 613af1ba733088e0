//! The listening sockets, all bound before any is served.

use config::listen::Listen;
use net::{At, Listener};

use super::{SERVICES, say};
use crate::failure::{Code, Failure};
use crate::house::House;

/// Binds every address of every wanted service, and says so.
pub fn open(house: &House, wanted: &dyn Fn(&str) -> bool, tls: bool) -> Result<Vec<Listener>, Failure> {
    let mut doors = Vec::new();
    for service in SERVICES.into_iter().filter(|service| wanted(service)) {
        if !tls && security(service, true) == "tls" {
            tracing::warn!("{service} is not served: there is no certificate");
            continue;
        }
        for listen in house.config.listens(service) {
            let at = match listen {
                Listen::Tcp(address) => At::Tcp(*address),
                Listen::Unix(path) => At::Unix { path: path.clone(), mode: 0o666 },
            };
            let door = Listener::bind(&at, service).map_err(|error| Failure::new(Code::Unavailable, service, error))?;
            say(&format!("posthouse: listening {service} {} {}", door.at(), security(service, tls)))?;
            doors.push(door);
        }
    }
    Ok(doors)
}

/// How a service's connections are secured.
fn security(service: &str, tls: bool) -> &'static str {
    match service {
        "submissions" | "imaps" | "pop3s" => "tls",
        _ if !tls => "plain",
        _ => "starttls",
    }
}
