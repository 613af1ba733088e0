//! Runs the transcripts beside this directory. A line is one of
//!
//! ```text
//! # why
//! MAIL: Subject: a\r\n\r\nb\r\n      delivered to alice; \r \n \0 \\ as in Rust
//! GONE: 2                            the message of that UID is expunged by another client
//! C1: STAT                           sent by client 1 with CRLF; the first line of a client connects it
//! S1: +OK $count …                   received by client 1: `…` is anything, `$name` a word, the same at each place
//! S1: (end)                          the server closed
//! DROP1                              client 1 is gone without a word
//! ```
//! Each runs over a wire that holds one byte, so that everything is cut everywhere, and over a wide one.

use std::collections::HashMap;
use std::path::Path;

use tokio::io::DuplexStream;

use crate::world::{Client, World, on_every_engine};

struct Run<'w> {
    world: &'w World,
    buffer: usize,
    clients: HashMap<String, Client<DuplexStream>>,
    names: HashMap<String, String>,
}

impl Run<'_> {
    async fn line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        match word.split_at(word.len().min(1)) {
            _ if word == "MAIL" => self.world.deliver(&unescape(rest)).await,
            _ if word == "GONE" => self.world.expunge(rest.parse().map_err(|_| "a UID".to_string())?).await,
            _ if word.starts_with("DROP") => drop(self.clients.remove(&word["DROP".len()..])),
            ("C", client) => self.client(client).send(format!("{rest}\r\n").as_bytes()),
            ("S", client) => {
                let got = self.client(client).line().await;
                let got = got.map_or("(end)".into(), |line| String::from_utf8_lossy(&line).into_owned());
                if !matches(rest, &got, &mut self.names) {
                    return Err(format!("got {got:?}"));
                }
            }
            _ => return Err("no such line".into()),
        }
        Ok(())
    }

    fn client(&mut self, name: &str) -> &mut Client<DuplexStream> {
        let (world, buffer) = (self.world, self.buffer);
        self.clients.entry(name.to_owned()).or_insert_with(|| world.connect(buffer))
    }
}

/// Whether `line` is what `pattern` says.
fn matches(pattern: &str, line: &str, names: &mut HashMap<String, String>) -> bool {
    let Some(first) = pattern.chars().next() else { return line.is_empty() };
    match first {
        '…' => {
            let rest = &pattern['…'.len_utf8()..];
            line.char_indices().map(|(at, _)| at).chain([line.len()]).any(|at| matches(rest, &line[at..], names))
        }
        '$' => {
            let end = pattern[1..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(pattern.len(), |at| at + 1);
            let (name, rest) = (&pattern[1..end], &pattern[end..]);
            let word = names.get(name).cloned();
            let word = word.unwrap_or_else(|| line.split(' ').next().unwrap_or_default().to_owned());
            let Some(after) = line.strip_prefix(word.as_str()).filter(|_| !word.is_empty()) else { return false };
            names.insert(name.to_owned(), word);
            matches(rest, after, names)
        }
        literal => line.strip_prefix(literal).is_some_and(|after| matches(&pattern[literal.len_utf8()..], after, names)),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0").replace("\\\\", "\\").into_bytes()
}

async fn run(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for buffer in [1, 64 * 1024] {
        on_every_engine(|world| {
            let text = text.clone();
            async move {
                let mut run = Run { world: &world, buffer, clients: HashMap::new(), names: HashMap::new() };
                for (number, line) in (1..).zip(text.lines()) {
                    if !line.is_empty() && !line.starts_with('#') {
                        let done = run.line(line).await;
                        done.unwrap_or_else(|why| panic!("{name}:{number}: {line}\n  {why} (wire of {buffer})"));
                    }
                }
            }
        })
        .await;
    }
}

macro_rules! transcripts {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            run(concat!(stringify!($name), ".txt")).await;
        }
    )*};
}

transcripts!(session update snapshot login sasl refused clients);

#[test]
fn every_transcript_is_run() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    assert_eq!(std::fs::read_dir(directory).expect("there").count(), 7, "name new ones in `transcripts!`");
}

#[test]
fn a_pattern_can_fail() {
    let names = &mut HashMap::new();
    assert!(matches("+OK $a … $a", "+OK 12 x 12", names));
    assert!(!matches("+OK $a", "+OK 13", names), "a name keeps its word");
    assert!(!matches("+OK", "+OK 1", names) && !matches("+OK 1", "+OK", names) && !matches("", "x", names));
}
