//! `user`: accounts.

mod app_password;
mod import;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use auth::Scram;
use clap::Subcommand;
use mail::Address;
use serde_json::json;
use store::{Account, Credential, Secret, State};

use crate::cli::Json;
use crate::failure::{Code, Failure, of_store};
use crate::house::House;
use crate::say::say;

/// Longest password taken, in octets: longer ones only cost time.
const LONGEST_PASSWORD: u64 = 1024;
/// Shorter ones are warned of.
const WEAK: usize = 8;

/// What was asked.
#[derive(Subcommand, Debug)]
pub enum Asked {
    /// Make an account
    Add {
        address: String,
        /// Read the password from stdin: a line, or to the end
        #[arg(long)]
        password_stdin: bool,
        /// What it may keep: 500M, 2G
        #[arg(long, value_name = "SIZE", value_parser = size)]
        quota: Option<u64>,
    },
    /// All accounts
    List(Json),
    /// One account
    Show {
        address: String,
        #[command(flatten)]
        json: Json,
    },
    /// Set the password
    Passwd {
        address: String,
        /// Read the password from stdin: a line, or to the end
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make the accounts of a Dovecot passwd-file, with their hashes
    Import { file: PathBuf },
    /// Passwords for one program or device each
    #[command(subcommand)]
    AppPassword(app_password::Asked),
    /// Remove an account with all its mail
    Remove { address: String },
}

/// Does it.
pub async fn run(house: &House, asked: Asked) -> Result<(), Failure> {
    match asked {
        Asked::Add { address, password_stdin, quota } => {
            let login = parse(&address)?;
            let secret = secret(house, &address, password_stdin, &[])?;
            house.store.add_account(&login, secret, quota).await.map_err(|error| of_store(&address, &error))?;
            Ok(())
        }
        Asked::List(json) => {
            for account in house.store.accounts().await.map_err(|error| of_store("user", &error))? {
                print(&account, json);
            }
            Ok(())
        }
        Asked::Show { address, json } => find(house, &address).await.map(|account| print(&account, json)),
        Asked::Passwd { address, password_stdin } => {
            let account = find(house, &address).await?;
            let others = house.store.credentials(account.id).await.map_err(|error| of_store(&address, &error))?;
            let secret = secret(house, &address, password_stdin, &others)?;
            house.store.set_password(account.id, secret).await.map_err(|error| of_store(&address, &error))
        }
        Asked::AppPassword(asked) => app_password::run(house, asked).await,
        Asked::Import { file } => import::import(house, &file).await,
        Asked::Remove { address } => {
            let account = find(house, &address).await?;
            house.store.remove_account(account.id).await.map_err(|error| of_store(&address, &error))
        }
    }
}

/// The account of an address.
pub async fn find(house: &House, address: &str) -> Result<Account, Failure> {
    let found = house.store.account_by_login(&parse(address)?).await.map_err(|error| of_store(address, &error))?;
    found.ok_or_else(|| Failure::new(Code::NotFound, address, "no such user; posthouse user list shows who there is"))
}

fn parse(address: &str) -> Result<Address, Failure> {
    Address::parse(address).map_err(|error| Failure::new(Code::BadInput, address, format!("{error}; write name@domain")))
}

fn print(account: &Account, Json { json }: Json) {
    let state = match account.state {
        State::Active => "active",
        State::Disabled => "disabled",
        State::Removed => "removed",
    };
    if json {
        let line = json!({
            "address": account.login.to_string(),
            "state": state,
            "quota_bytes": account.quota_bytes,
            "used_bytes": account.used_bytes,
            "used_messages": account.used_messages,
        });
        say(line);
    } else {
        let quota = account.quota_bytes.map_or("none".to_owned(), |most| most.to_string());
        say(format_args!("{}\t{state}\t{} messages\t{} bytes of {quota}", account.login, account.used_messages, account.used_bytes));
    }
}

/// Whether SCRAM is wanted here.
pub fn scram(house: &House) -> Scram {
    Scram::of(house.config.text("scram"))
}

/// What is to be kept of a password that is read or asked for.
fn secret(house: &House, subject: &str, from_stdin: bool, others: &[Credential]) -> Result<Secret, Failure> {
    let password = if from_stdin { read(subject)? } else { ask(subject)? };
    if password.is_empty() {
        return Err(Failure::new(Code::BadInput, subject, "the password is empty; give one"));
    }
    if password.chars().count() < WEAK {
        eprintln!("posthouse: {subject}: the password is shorter than {WEAK} characters, and easily guessed; a longer one is better");
    }
    auth::secret_of(password.as_bytes(), scram(house), others).map_err(|error| Failure::new(Code::Unavailable, subject, error))
}

fn read(subject: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_PASSWORD + 1).read_to_string(&mut text);
    let failed = |text: String| Failure::new(Code::BadInput, subject, text);
    read.map_err(|error| failed(format!("the password can't be read: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    if line.len() as u64 > LONGEST_PASSWORD {
        return Err(failed(format!("the password is longer than {LONGEST_PASSWORD} octets")));
    }
    Ok(line.to_owned())
}

/// Asks a terminal twice, without showing what is typed.
fn ask(subject: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Code::Usage, subject, "no terminal to ask for the password; use --password-stdin"));
    }
    let failed = |error: std::io::Error| Failure::new(Code::Unavailable, "terminal", error);
    let first = unseen(&format!("Password for {subject}: ")).map_err(failed)?;
    let second = unseen("Once more: ").map_err(failed)?;
    match first == second {
        true => Ok(first),
        false => Err(Failure::new(Code::BadInput, subject, "the two passwords differ; nothing is changed")),
    }
}

fn unseen(prompt: &str) -> std::io::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    eprint!("{prompt}");
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    tcsetattr(&stdin, OptionalActions::Now, &shown)?;
    eprintln!();
    read?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// `500M`, `2G`, `1048576`: powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        "T" | "TB" => 40,
        unit => return Err(format!("no unit {unit:?}; K, M, G or T")),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is no size; write 500M or 2G"))?;
    number.checked_shl(shift).filter(|size| size >> shift == number).ok_or_else(|| format!("{text:?} is too large"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(super::size("2G"), Ok(2 << 30));
        assert_eq!(super::size("500m"), Ok(500 << 20));
        assert_eq!(super::size("7"), Ok(7));
        for bad in ["", "G", "1X", "99999999999T", "-1"] {
            assert!(super::size(bad).is_err(), "{bad}");
        }
    }
}
