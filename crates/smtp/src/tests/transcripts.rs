//! Golden transcripts: `crates/smtp/transcripts/*.txt`. `C:` lines that follow one another are sent in one segment;
//! `S:` lines are all that is answered; `S: (closes)` says that the session is over.

use super::bench::{Bench, settings};
use crate::{Language, Settings};

fn run(name: &str, text: &str) {
    let language = if name.starts_with("lmtp") { Language::Lmtp } else { Language::Smtp };
    let mut bench = Bench::new(Settings { language, ..settings() });
    let mut said = Vec::new();
    let mut expected = Vec::new();
    let mut heard = lines(&bench.heard());
    for line in text.lines().chain(["C: "]) {
        if let Some(line) = line.strip_prefix("S: ") {
            if !said.is_empty() {
                assert!(!bench.closed, "{name}: it is closed");
                heard.extend(lines(&bench.say(&std::mem::take(&mut said))));
                if bench.closed {
                    heard.push("(closes)".into());
                }
            }
            expected.push(line.to_owned());
        } else if let Some(line) = line.strip_prefix("C:") {
            assert_eq!(heard, expected, "{name}: before {line}");
            said.extend_from_slice(line.strip_prefix(' ').unwrap_or(line).as_bytes());
            said.extend_from_slice(b"\r\n");
            heard.clear();
            expected.clear();
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{name}: {line}");
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

macro_rules! transcripts {
    ($($name:ident),* $(,)?) => { $(
        #[test]
        fn $name() {
            run(stringify!($name), include_str!(concat!("../../transcripts/", stringify!($name), ".txt")));
        }
    )* };
}

transcripts!(a_message, pipelining, out_of_sequence, login, starttls, not_smtp, oddities, lmtp);
