//! A server whose answers are falsified on their way, to show that the tester finds each kind of fault.

use std::io::Result;

use crate::server::Server;
use crate::wire::Connection;

/// What is falsified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// An EXPUNGE (or VANISHED) is not told.
    DropsExpunge,
    /// A flag is not told.
    DropsFlag,
    /// A UID is told as the one before it.
    RepeatsUid,
    /// EXPUNGE is told within FETCH.
    ExpungeInFetch,
    /// EXISTS tells one less.
    ExistsShrinks,
    /// Another message's text.
    OtherText,
    /// STORE is answered with OK and not done.
    LosesStore,
    /// APPEND puts another UID into APPENDUID.
    WrongAppendUid,
    /// A change has the MODSEQ of before.
    OldModSeq,
    /// Every EXISTS comes doubled in number.
    Doubled,
}

/// All of them.
pub const LIES: [Lie; 10] = [
    Lie::DropsExpunge,
    Lie::DropsFlag,
    Lie::RepeatsUid,
    Lie::ExpungeInFetch,
    Lie::ExistsShrinks,
    Lie::OtherText,
    Lie::LosesStore,
    Lie::WrongAppendUid,
    Lie::OldModSeq,
    Lie::Doubled,
];

/// A server that lies now and then.
pub struct Liar<'s> {
    /// Which tells the truth.
    pub server: &'s dyn Server,
    /// How it is falsified.
    pub lie: Lie,
}

impl Server for Liar<'_> {
    fn connect(&self) -> Result<Connection> {
        let mut connection = self.server.connect()?;
        let lie = self.lie;
        let mut count = 0u32;
        connection.falsify_answers(move |octets| {
            count += 1;
            falsified(lie, octets, count)
        });
        if lie == Lie::LosesStore {
            let mut stores = 0u32;
            connection.falsify_commands(move |octets| {
                stores += u32::from(has(octets, b"STORE"));
                if stores % 5 == 4 { replaced(octets, b"+FLAGS", b"-FLAGS") } else { octets.to_vec() }
            });
        }
        Ok(connection)
    }
}

/// What is told in place of a response; `count` is how many there were, so that most are true.
fn falsified(lie: Lie, octets: &[u8], count: u32) -> Vec<Vec<u8>> {
    let now = count.is_multiple_of(7);
    let same = || vec![octets.to_vec()];
    match lie {
        Lie::DropsExpunge if octets.ends_with(b" EXPUNGE") || octets.starts_with(b"* VANISHED ") => Vec::new(),
        Lie::DropsFlag if now && has(octets, b" FETCH ") => vec![replaced(octets, b"\\Seen", b"")].into_iter().map(|line| replaced(&line, b"( ", b"(")).map(|line| replaced(&replaced(&line, b"  ", b" "), b" )", b")")).collect(),
        Lie::RepeatsUid if now => vec![uid_before(octets)],
        Lie::ExpungeInFetch if now && has(octets, b" FETCH ") => vec![octets.to_vec(), b"* 1 EXPUNGE".to_vec()],
        Lie::ExistsShrinks if octets.ends_with(b" EXISTS") && !octets.starts_with(b"* 0 ") => vec![octets.to_vec(), b"* 0 EXISTS".to_vec()],
        Lie::OtherText if has(octets, b"This is message") => vec![replaced(octets, b"This is message", b"That is message")],
        Lie::WrongAppendUid if has(octets, b"[APPENDUID ") => vec![replaced(octets, b"] ", b"9] ")],
        Lie::OldModSeq if has(octets, b"MODSEQ (") => vec![replaced(octets, b"MODSEQ (", b"MODSEQ (1) X-WAS (")],
        Lie::Doubled if octets.ends_with(b" EXISTS") && !octets.starts_with(b"* 0 ") => vec![replaced(octets, b" EXISTS", b"0 EXISTS")],
        _ => same(),
    }
}

fn has(octets: &[u8], what: &[u8]) -> bool {
    octets.windows(what.len()).any(|window| window == what)
}

/// With the first `what` replaced.
fn replaced(octets: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    match octets.windows(what.len()).position(|window| window == what) {
        Some(at) => [&octets[..at], by, &octets[at + what.len()..]].concat(),
        None => octets.to_vec(),
    }
}

/// `UID n` as `UID n-1`.
fn uid_before(octets: &[u8]) -> Vec<u8> {
    let Some(at) = octets.windows(5).position(|window| window == b"(UID ") else { return octets.to_vec() };
    let digits: String = octets[at + 5..].iter().take_while(|octet| octet.is_ascii_digit()).map(|octet| char::from(*octet)).collect();
    match digits.parse::<u32>() {
        Ok(uid) if uid > 1 => replaced(octets, format!("(UID {uid}").as_bytes(), format!("(UID {}", uid - 1).as_bytes()),
        _ => octets.to_vec(),
    }
}
