//! Runs a transcript: lines `C1:` are sent on connection 1, lines `S1:` must come back; `D: MAILBOX {=message}` delivers.
//!
//! * `…` stands for any text; at the begin of a line also for any responses before it. `$name` stands for a number or word:
//!   its first use takes it, later ones must be the same.
//! * `{=octets}` is a literal, with `\r`, `\n` and `\0` in it; sent as `{n+}`.
//! * ` ⏎ ` ends a command within a line: what follows is sent with it, in one packet (pipelining).
//! * A connection is logged in as alice when it is first used; `@raw` at the top: none is, and greetings are read.
//!   `@bob 2`: connection 2 is bob's (quota 2000 octets, 5 messages). `@far`: connections come from another machine.
//! * `S1: EOF`: the connection ends. `#` begins a comment.

use std::collections::HashMap;

use super::client::Client;
use super::world::World;

pub async fn run(world: &World, name: &str, text: &str) {
    let mut play = Play::new(world, text);
    for (number, line) in text.lines().enumerate() {
        let at = format!("{} {name}:{}: {line}", world.engine, number + 1);
        play.line(line, &at).await;
    }
}

struct Play<'w> {
    world: &'w World,
    clients: HashMap<String, Client>,
    captured: HashMap<String, String>,
    raw: bool,
    from: &'static str,
    bobs: Vec<String>,
}

impl<'w> Play<'w> {
    fn new(world: &'w World, text: &str) -> Play<'w> {
        let has = |directive: &str| text.lines().any(|line| line == directive);
        let bobs = text.lines().filter_map(|line| line.strip_prefix("@bob ")).map(str::to_owned).collect();
        let from = if has("@far") { "192.0.2.7:4000" } else { "127.0.0.1:4000" };
        Play { world, clients: HashMap::new(), captured: HashMap::new(), raw: has("@raw"), from, bobs }
    }

    async fn line(&mut self, line: &str, at: &str) {
        if line.is_empty() || line.starts_with(['#', '@']) {
            return;
        }
        let (who, said) = line.split_once(':').unwrap_or_else(|| panic!("{at}: no colon"));
        let said = said.strip_prefix(' ').unwrap_or(said);
        match who.split_at(1) {
            ("C", number) => {
                let octets = self.sent(said);
                self.client(number).await.send(&octets).await;
            }
            ("S", number) => self.expect(number, said, at).await,
            ("D", "") => {
                let (mailbox, message) = said.split_once(" {=").unwrap_or_else(|| panic!("{at}: no message"));
                self.world.deliver(mailbox, &unescaped(message.trim_end_matches('}'))).await;
            }
            _ => panic!("{at}: neither C, S nor D"),
        }
    }

    async fn client(&mut self, number: &str) -> &mut Client {
        if !self.clients.contains_key(number) {
            let stream = self.world.connect(self.from);
            let client = match (self.raw, self.bobs.iter().any(|bob| bob == number)) {
                (true, _) => Client::new(stream),
                (false, true) => Client::login(stream, "bob").await,
                (false, false) => Client::login(stream, "alice").await,
            };
            self.clients.insert(number.to_owned(), client);
        }
        self.clients.get_mut(number).unwrap()
    }

    /// A line to send: captures put in, literals measured.
    fn sent(&self, line: &str) -> Vec<u8> {
        let mut line = line.to_owned();
        for (name, value) in &self.captured {
            line = line.replace(&format!("${name}"), value);
        }
        let mut octets = Vec::new();
        let mut rest = &line[..];
        while let Some((before, after)) = rest.split_once("{=") {
            let (literal, after) = after.split_once('}').expect("a literal ends with }");
            let literal = unescaped(literal);
            octets.extend_from_slice(before.as_bytes());
            octets.extend_from_slice(format!("{{{}+}}\r\n", literal.len()).as_bytes());
            octets.extend_from_slice(&literal);
            rest = after;
        }
        octets.extend_from_slice(rest.replace(" ⏎ ", "\r\n").as_bytes());
        octets.extend_from_slice(b"\r\n");
        octets
    }

    async fn expect(&mut self, number: &str, pattern: &str, at: &str) {
        let skips = pattern.starts_with('…');
        let pattern = pattern.strip_prefix('…').map_or(pattern, str::trim_start);
        let mut passed = Vec::new();
        loop {
            let response = self.client(number).await.response().await;
            let Some(response) = response else {
                assert!(pattern == "EOF", "{at}: the connection ended; before it {passed:?}");
                return;
            };
            let mut captured = self.captured.clone();
            if matches(pattern, &response, &mut captured) {
                self.captured = captured;
                return;
            }
            passed.push(response);
            // A tagged line ends what can be skipped.
            let tagged = passed.last().is_some_and(|line| !line.starts_with(['*', '+']));
            assert!(skips && !tagged, "{at}\n  came: {}", passed.join("\n        "));
        }
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0").into_bytes()
}

/// Whether a response is as the pattern has it.
fn matches(pattern: &str, text: &str, captured: &mut HashMap<String, String>) -> bool {
    let Some(special) = pattern.find(['…', '$']) else { return pattern == text };
    let (plain, rest) = pattern.split_at(special);
    let Some(text) = text.strip_prefix(plain) else { return false };
    if let Some(rest) = rest.strip_prefix('…') {
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        return ends.into_iter().any(|at| {
            let mut tried = captured.clone();
            let is = matches(rest, &text[at..], &mut tried);
            if is {
                *captured = tried;
            }
            is
        });
    }
    let rest = &rest[1..];
    let name_end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(name_end);
    if name.is_empty() {
        return text.strip_prefix('$').is_some_and(|text| matches(rest, text, captured)); // as in $Forwarded
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (value, text) = text.split_at(end);
    match captured.get(name) {
        Some(known) if known != value => return false,
        _ => captured.insert(name.to_owned(), value.to_owned()),
    };
    !value.is_empty() && matches(rest, text, captured)
}

#[test]
fn patterns() {
    let mut captured = HashMap::new();
    assert!(matches("a OK [APPENDUID $validity $uid] …", "a OK [APPENDUID 7 12] done", &mut captured));
    assert_eq!((captured["validity"].as_str(), captured["uid"].as_str()), ("7", "12"));
    assert!(!matches("* $uid EXISTS", "* 13 EXISTS", &mut captured), "captured means the same");
    assert!(matches("* $uid EXISTS", "* 12 EXISTS", &mut captured));
    assert!(matches("…($Forwarded)", "x ($Forwarded)", &mut captured));
    assert!(!matches("a …", "b c", &mut captured));
}
