//! Load drivers. Each prints a JSON line a measure; compare only within one run, alternating.
//!
//! `deposits` measures the seam that everything crosses, without a protocol: accept → one commit → settle.
//! `smtp` drives any SMTP server, and watches Maildirs for what arrives, so that servers can be compared.
//! `idle` measures from "250" to EXISTS in IDLE; `idle-many`, what ten thousand such sessions cost.
//! `logins` measures logins by IMAP, and what wrong ones beside them do to the right ones.

#![forbid(unsafe_code)]

mod deposits;
mod idle;
mod idle_many;
mod logins;
mod smtp;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Asked {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Deliveries into the store by group size, on SQLite or PostgreSQL
    Deposits(deposits::Options),
    /// Messages by SMTP, a connection a message, until they lie in the Maildirs
    Smtp(smtp::Options),
    /// From "250" to EXISTS in IDLE
    Idle(idle::Options),
    /// What many sessions in IDLE cost, and how long until all are told
    IdleMany(idle_many::Options),
    /// Logins a second, and their times while others guess passwords
    Logins(logins::Options),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked = Asked::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match asked.measure {
        Measure::Deposits(options) => runtime.block_on(deposits::run(options)),
        Measure::Smtp(options) => runtime.block_on(smtp::run(options)),
        Measure::Idle(options) => runtime.block_on(idle::run(options)),
        Measure::IdleMany(options) => runtime.block_on(idle_many::run(options)),
        Measure::Logins(options) => runtime.block_on(logins::run(options)),
    }
}

/// A message of `size` octets with an id of its own.
fn message(id: &str, size: usize) -> Vec<u8> {
    let mut message = format!(
        "From: Sender <sender@example.org>\r\nTo: <someone@example.test>\r\nSubject: message {id}\r\nMessage-ID: <{id}@bench.example.org>\r\n\
         Date: Tue, 24 Nov 2026 02:01:13 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
    )
    .into_bytes();
    let line = b"The quick brown fox jumps over the lazy dog and goes home by the last train.\r\n";
    while message.len() + line.len() <= size {
        message.extend_from_slice(line);
    }
    message
}

/// The `part`-th quantile of sorted values.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}
