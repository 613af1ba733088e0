//! The stateful tester against any server: `imap-model --host 127.0.0.1 --port 143 --user alice --password secret`.
//!
//! `--seconds N` plays on with the next seeds for so long; `--seed S` begins with this one; `--clients N`, `--steps N`; `--crowd` lets all
//! clients act at once instead of in turns. `--dovecot` needs no server: Debian's IMAP process is started for it. It uses mailboxes
//! whose names begin with `model-`, and deletes them first.

#![forbid(unsafe_code)]

use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use imap_tests::model::action::Step;
use imap_tests::model::shrink::shrink;
use imap_tests::model::{DOVECOT, Quirk, crowd, turns};
use imap_tests::server::{Dovecot, Listening, Server};

const USAGE: &str = "usage: imap-model (--dovecot | --host HOST --port PORT --user USER --password PASSWORD) [--seconds N] [--seed S] [--clients N] [--steps N] [--crowd]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says.
struct Options {
    host: String,
    port: u16,
    user: String,
    password: String,
    dovecot: bool,
    crowd: bool,
    seconds: u64,
    seed: u64,
    clients: usize,
    steps: usize,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { host: "127.0.0.1".into(), port: 143, user: String::new(), password: String::new(), dovecot: false, crowd: false, seconds: 60, seed: 0, clients: 4, steps: 400 };
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name}: no value\n{USAGE}"));
        let number = |value: String| value.parse::<u64>().map_err(|error| format!("{value}: {error}\n{USAGE}"));
        match name.as_str() {
            "--host" => options.host = value()?,
            "--port" => options.port = number(value()?)?.try_into().map_err(|_| format!("no such port\n{USAGE}"))?,
            "--user" => options.user = value()?,
            "--password" => options.password = value()?,
            "--dovecot" => options.dovecot = true,
            "--crowd" => options.crowd = true,
            "--seconds" => options.seconds = number(value()?)?,
            "--seed" => options.seed = number(value()?)?,
            "--clients" => options.clients = number(value()?)?.clamp(1, 100) as usize,
            "--steps" => options.steps = number(value()?)?.clamp(1, 1_000_000) as usize,
            _ => return Err(format!("{name}?\n{USAGE}")),
        }
    }
    Ok(options)
}

fn run(arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let options = options(arguments)?;
    let (server, quirks): (Box<dyn Server>, &[Quirk]) = match options.dovecot {
        true => (Box::new(Dovecot::new().map_err(|error| format!("Dovecot: {error}"))?), DOVECOT),
        false => {
            let at = (options.host.as_str(), options.port).to_socket_addrs().map_err(|error| format!("{}: {error}", options.host))?.next();
            let at = at.ok_or_else(|| format!("{}: no address", options.host))?;
            (Box::new(Listening { at, user: options.user.clone(), password: options.password.clone() }), &[])
        }
    };
    let (begun, limit) = (Instant::now(), Duration::from_secs(options.seconds));
    let mut seed = options.seed;
    while begun.elapsed() < limit {
        play(&*server, quirks, &options, seed)?;
        println!("seed {seed}: nothing found");
        seed += 1;
    }
    Ok(())
}

fn play(server: &dyn Server, quirks: &[Quirk], options: &Options, seed: u64) -> Result<(), String> {
    if options.crowd {
        return crowd::play(server, options.clients, seed, options.steps, quirks).map_err(|failure| format!("seed {seed}:\n{failure}"));
    }
    let script = Step::script(seed, options.clients, options.steps);
    let play = |script: &[Step]| turns::play(server, options.clients, script, quirks);
    play(&script).map_err(|failure| {
        eprintln!("seed {seed}: {}; looking for the least script", failure.why);
        let (least, failure) = shrink(&script, failure, play);
        format!("seed {seed}: the least script:\n{least:#?}\n{failure}")
    })
}
