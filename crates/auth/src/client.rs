//! Who asks, and at which door.

use std::net::IpAddr;

/// What a login opens. The numbers are bits of `credential.scopes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i64)]
pub enum Service {
    Imap = 1,
    Pop3 = 2,
    /// SMTP with a login, on any of its ports.
    Submission = 4,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Imap, Service::Pop3, Service::Submission];

    /// As `--for` and listings write it.
    pub fn name(self) -> &'static str {
        match self {
            Service::Imap => "imap",
            Service::Pop3 => "pop3",
            Service::Submission => "submission",
        }
    }

    /// The service of a name.
    pub fn of_name(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }

    /// Its bit.
    pub fn scope(self) -> i64 {
        self as i64
    }

    /// Whether `scopes` open it: 0 opens all.
    pub fn is_in(self, scopes: i64) -> bool {
        scopes == 0 || scopes & self.scope() != 0
    }
}

/// The client of a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Where it is.
    pub address: IpAddr,
    /// What it wants to open.
    pub service: Service,
}
