//! How much each client does: connections at a time, and connections, messages, recipients and AUTH commands in a time — anvil(8) of Postfix.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use config::Config;
use config::networks::Networks;

/// Clients remembered at a time. Beyond it those of which nothing is open are forgotten: a flood of addresses must not fill the memory.
const CLIENTS: usize = 100_000;

/// What a client may do; 0: as much as it likes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `smtpd_client_connection_count_limit`
    pub connections: u32,
    /// `smtpd_client_connection_rate_limit` and its kin, by [`Event`].
    rates: [u32; 4],
    /// `anvil_rate_time_unit`
    time: Duration,
    /// `smtpd_client_event_limit_exceptions`
    exceptions: Networks,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Connection,
    Message,
    Recipient,
    Auth,
}

impl Default for Limits {
    /// None.
    fn default() -> Limits {
        Limits { connections: 0, rates: [0; 4], time: Duration::from_secs(60), exceptions: Networks::default() }
    }
}

impl Limits {
    /// What `config` says.
    pub fn of(config: &Config) -> Limits {
        let number = |name| u32::try_from(config.int(name)).unwrap_or(0);
        let rate = |what| number(what);
        Limits {
            connections: number("smtpd_client_connection_count_limit"),
            rates: [
                rate("smtpd_client_connection_rate_limit"),
                rate("smtpd_client_message_rate_limit"),
                rate("smtpd_client_recipient_rate_limit"),
                rate("smtpd_client_auth_rate_limit"),
            ],
            time: config.time("anvil_rate_time_unit"),
            exceptions: config.unlimited_clients().clone(),
        }
    }
}

/// Counts of all clients of a service. Cheap to clone; it outlives a change of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Anvil(Arc<Mutex<HashMap<IpAddr, Counts>>>);

#[derive(Debug)]
struct Counts {
    open: u32,
    since: Instant,
    events: [u32; 4],
}

/// A connection that is counted, until it is dropped.
pub struct Open {
    anvil: Anvil,
    client: IpAddr,
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut all = self.anvil.lock();
        if let Some(counts) = all.get_mut(&self.client) {
            counts.open = counts.open.saturating_sub(1);
        }
    }
}

/// What was too much, and how much it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch(pub u32);

impl Anvil {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection begins; refused if the client has too many.
    pub fn open(&self, client: IpAddr, limits: &Limits, now: Instant) -> (Open, Result<(), TooMuch>) {
        let mut all = self.lock();
        if all.len() >= CLIENTS {
            all.retain(|_, counts| counts.open > 0 || now.duration_since(counts.since) < limits.time);
        }
        let counts = all.entry(client).or_insert_with(|| Counts { open: 0, since: now, events: [0; 4] });
        counts.open = counts.open.saturating_add(1);
        let open = counts.open;
        drop(all);
        let fits = limits.connections == 0 || open <= limits.connections || limits.exceptions.contains(client);
        (Open { anvil: self.clone(), client }, if fits { Ok(()) } else { Err(TooMuch(open)) })
    }

    /// Counts one event; refused if there were too many in this time.
    pub fn count(&self, client: IpAddr, event: Event, limits: &Limits, now: Instant) -> Result<(), TooMuch> {
        let place = event as usize;
        let limit = limits.rates.get(place).copied().unwrap_or(0);
        let mut all = self.lock();
        let Some(counts) = all.get_mut(&client) else { return Ok(()) };
        if now.duration_since(counts.since) >= limits.time {
            (counts.since, counts.events) = (now, [0; 4]);
        }
        let Some(count) = counts.events.get_mut(place) else { return Ok(()) };
        *count = count.saturating_add(1);
        let count = *count;
        match limit > 0 && count > limit && !limits.exceptions.contains(client) {
            true => Err(TooMuch(count)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn connections_are_counted_while_they_are_open() {
        let (anvil, limits, now) = (Anvil::default(), Limits { connections: 2, ..Limits::default() }, Instant::now());
        let (first, ok) = anvil.open(CLIENT, &limits, now);
        let (_second, also) = anvil.open(CLIENT, &limits, now);
        let (third, not) = anvil.open(CLIENT, &limits, now);
        assert_eq!((ok, also, not), (Ok(()), Ok(()), Err(TooMuch(3))));
        drop((first, third));
        assert_eq!(anvil.open(CLIENT, &limits, now).1, Ok(()));
        let trusting = Limits { exceptions: Networks::parse(&["192.0.2.0/24"], |_| Err(String::new())).expect("a network"), ..limits };
        assert!((0..9).all(|_| anvil.open(CLIENT, &trusting, now).1.is_ok()));
    }

    #[test]
    fn rates_begin_anew_after_their_time() {
        let (anvil, now) = (Anvil::default(), Instant::now());
        let limits = Limits { rates: [0, 2, 0, 0], ..Limits::default() };
        let (_open, _) = anvil.open(CLIENT, &limits, now);
        let message = |after: u64| anvil.count(CLIENT, Event::Message, &limits, now + Duration::from_secs(after));
        assert_eq!([message(0), message(1), message(2), message(61)], [Ok(()), Ok(()), Err(TooMuch(3)), Ok(())]);
        assert!((0..9).all(|_| anvil.count(CLIENT, Event::Recipient, &limits, now).is_ok()));
    }
}
