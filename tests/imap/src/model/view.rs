//! What one client was told of the mailbox that it has selected, and the rules that hold for that alone.

use super::{Flags, Uid, numbers};
use crate::response::Response;
use crate::value::Value;

/// A message as this client knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Once it was told.
    pub uid: Option<Uid>,
    /// As last told, or as this client made them.
    pub flags: Option<Flags>,
    /// The greatest that was told.
    pub modseq: u64,
    /// How far in the message's history this client is (see `truth`).
    pub version: usize,
}

/// One selection of a mailbox.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its name.
    pub mailbox: String,
    /// EXAMINE.
    pub read_only: bool,
    /// UIDVALIDITY
    pub validity: u32,
    /// By sequence number, the first is 1.
    pub rows: Vec<Row>,
    /// Flags that the mailbox is known to have.
    pub names: Flags,
    /// The greatest UID that was here.
    pub last: Uid,
    /// Told in this selection.
    pub highest: u64,
    /// Which selection of all it is.
    pub id: usize,
    /// Messages came whose UIDs were not asked for yet.
    pub grown: bool,
}

/// When EXPUNGE and VANISHED may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expunge {
    /// Not in FETCH, STORE, SEARCH, SORT, THREAD by number (RFC 3501 §7.4.1).
    Never,
    /// In all others.
    Any,
}

/// What the rest of the world must hear of what a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Flags of row `index`.
    Flags { index: usize, uid: Uid, flags: Flags, recent: bool },
    /// The whole message.
    Whole { uid: Uid, octets: Vec<u8> },
    /// Its size.
    Size { uid: Uid, size: u64 },
    /// It was expunged.
    Expunged(Option<Uid>),
}

type Broken = String;

impl View {
    /// Takes in one response. Says what rule it breaks.
    pub fn hear(&mut self, response: &Response, expunge: Expunge) -> Result<Vec<Told>, Broken> {
        match response {
            Response::Numbered(number, what, values) => match what.as_str() {
                "EXISTS" => self.exists(*number as usize).map(|()| Vec::new()),
                "EXPUNGE" => self.expunged(*number as usize, expunge),
                "FETCH" => self.fetched(*number as usize, values),
                _ => Ok(Vec::new()),
            },
            Response::Data(word, values) if word == "FLAGS" => {
                let flags = values.first().and_then(Value::list).ok_or("FLAGS without a list")?;
                self.names = flags.iter().filter_map(|flag| Some(flag.atom()?.to_ascii_lowercase())).collect();
                Ok(Vec::new())
            }
            Response::Data(word, values) if word == "VANISHED" => self.vanished(values, expunge),
            Response::Untagged(condition) => {
                for (name, place) in [("UIDVALIDITY", 0), ("HIGHESTMODSEQ", 1)] {
                    let number = condition.code(name).and_then(|rest| rest.first()?.number());
                    match (number, place) {
                        (Some(number), 0) => self.validity = u32::try_from(number).map_err(|_| "S-05: UIDVALIDITY has 32 bits")?,
                        (Some(number), _) => self.highest = self.highest.max(number),
                        (None, _) => {}
                    }
                }
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn exists(&mut self, count: usize) -> Result<(), Broken> {
        if count < self.rows.len() {
            return Err(format!("S-02: EXISTS {count} where there are {}: only EXPUNGE lowers the count", self.rows.len()));
        }
        self.grown |= count > self.rows.len();
        self.rows.resize_with(count, Row::default);
        Ok(())
    }

    fn expunged(&mut self, number: usize, expunge: Expunge) -> Result<Vec<Told>, Broken> {
        if expunge == Expunge::Never {
            return Err("E-01: EXPUNGE in a command by number".into());
        }
        if !(1..=self.rows.len()).contains(&number) {
            return Err(format!("S-03: EXPUNGE {number} of {}", self.rows.len()));
        }
        Ok(vec![Told::Expunged(self.rows.remove(number - 1).uid)])
    }

    /// RFC 7162 §3.2.10
    fn vanished(&mut self, values: &[Value], expunge: Expunge) -> Result<Vec<Told>, Broken> {
        let earlier = matches!(values.first(), Some(Value::List(words)) if words.iter().any(|word| word.atom().is_some_and(|word| word.eq_ignore_ascii_case("EARLIER"))));
        let uids = values.last().and_then(Value::atom).and_then(numbers).ok_or("VANISHED without UIDs")?;
        if earlier {
            // Of messages that were never here.
            return match uids.iter().find(|uid| self.index(**uid).is_some()) {
                Some(uid) => Err(format!("M-09: VANISHED (EARLIER) of {uid}, which is here")),
                None => Ok(Vec::new()),
            };
        }
        if expunge == Expunge::Never {
            return Err("E-01: VANISHED in a command by number".into());
        }
        let mut told = Vec::new();
        for uid in uids {
            // It lowers the count, so it must have been counted.
            let index = self.index(uid).or_else(|| self.nameless(uid)).ok_or_else(|| format!("S-02: VANISHED {uid}, which is not here"))?;
            self.rows.remove(index);
            told.push(Told::Expunged(Some(uid)));
        }
        Ok(told)
    }

    /// The row of a UID.
    pub fn index(&self, uid: Uid) -> Option<usize> {
        self.rows.iter().position(|row| row.uid == Some(uid))
    }

    /// A row whose UID was not told, where this one would be.
    fn nameless(&self, uid: Uid) -> Option<usize> {
        let from = self.rows.iter().rposition(|row| row.uid.is_some_and(|other| other < uid)).map_or(0, |index| index + 1);
        self.rows.get(from).filter(|row| row.uid.is_none()).map(|_| from)
    }

    fn fetched(&mut self, number: usize, values: &[Value]) -> Result<Vec<Told>, Broken> {
        let Some(index) = number.checked_sub(1).filter(|index| *index < self.rows.len()) else {
            return Err(format!("S-01: FETCH of {number} of {}", self.rows.len()));
        };
        let [Value::List(items)] = values else { return Err("FETCH without its items".into()) };
        if items.len() % 2 != 0 {
            return Err("an item without a value".into());
        }
        let item = |name: &str| items.chunks(2).find(|pair| pair[0].atom().is_some_and(|atom| atom.eq_ignore_ascii_case(name))).map(|pair| &pair[1]);
        if let Some(uid) = item("UID") {
            let uid = uid.number().and_then(|uid| Uid::try_from(uid).ok()).filter(|uid| *uid > 0).ok_or("S-11: no UID")?;
            self.named(index, uid)?;
        }
        if let Some(modseq) = item("MODSEQ") {
            let modseq = modseq.list().and_then(|list| list.first()?.number()).ok_or("M-06: MODSEQ without its number")?;
            let row = &mut self.rows[index];
            if modseq < row.modseq {
                return Err(format!("M-02: the MODSEQ of {number} was {} and is {modseq}", row.modseq));
            }
            row.modseq = modseq;
        }
        let Some(uid) = self.rows[index].uid else {
            // Told before its UID was asked for.
            return Ok(Vec::new());
        };
        let mut told = Vec::new();
        if let Some(flags) = item("FLAGS") {
            let mut flags: Flags = flags.list().ok_or("FLAGS without a list")?.iter().filter_map(|flag| Some(flag.atom()?.to_ascii_lowercase())).collect();
            let recent = flags.remove("\\recent");
            if let Some(unknown) = flags.iter().find(|flag| !self.names.contains(*flag)) {
                return Err(format!("E-12: {unknown} was not announced by FLAGS"));
            }
            self.rows[index].flags = Some(flags.clone());
            told.push(Told::Flags { index, uid, flags, recent });
        }
        for name in ["BODY[]", "RFC822"] {
            if let Some(octets) = item(name).and_then(Value::octets) {
                told.push(Told::Whole { uid, octets: octets.to_vec() });
            }
        }
        if let Some(size) = item("RFC822.SIZE").and_then(Value::number) {
            told.push(Told::Size { uid, size });
        }
        Ok(told)
    }

    fn named(&mut self, index: usize, uid: Uid) -> Result<(), Broken> {
        match self.rows[index].uid {
            Some(known) if known != uid => return Err(format!("S-01: {} was UID {known} and is {uid}", index + 1)),
            Some(_) => return Ok(()),
            None => {}
        }
        let before = self.rows[..index].iter().rev().find_map(|row| row.uid);
        let after = self.rows[index + 1..].iter().find_map(|row| row.uid);
        if before.is_some_and(|before| before >= uid) || after.is_some_and(|after| after <= uid) {
            return Err(format!("S-04: UID {uid} between {before:?} and {after:?}"));
        }
        self.rows[index].uid = Some(uid);
        self.last = self.last.max(uid);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(view: &mut View, lines: &[&str]) -> Result<Vec<Told>, Broken> {
        let mut told = Vec::new();
        for line in lines {
            told = view.hear(&Response::read(line.as_bytes())?, Expunge::Never)?;
        }
        Ok(told)
    }

    #[test]
    fn each_rule_is_broken_by_something() {
        let begin = ["* FLAGS (\\Seen work)", "* 3 EXISTS", "* 1 FETCH (UID 4)", "* 3 FETCH (UID 9 FLAGS (\\Seen \\Recent) MODSEQ (5))"];
        for (line, rule) in [
            ("* 2 EXISTS", "S-02"),
            ("* 1 EXPUNGE", "E-01"),
            ("* VANISHED 4", "E-01"),
            ("* VANISHED (EARLIER) 4", "M-09"),
            ("* VANISHED 3", "E-01"),
            ("* 1 FETCH (UID 5)", "S-01"),
            ("* 4 FETCH (UID 10)", "S-01"),
            ("* 2 FETCH (UID 9)", "S-04"),
            ("* 2 FETCH (UID 0)", "S-11"),
            ("* 1 FETCH (FLAGS (other))", "E-12"),
            ("* 3 FETCH (MODSEQ (4))", "M-02"),
        ] {
            let mut view = View::default();
            hear(&mut view, &begin).unwrap();
            let broken = hear(&mut view, &[line]);
            assert!(broken.as_ref().is_err_and(|why| why.starts_with(rule)), "{line}: {broken:?}");
        }
    }

    #[test]
    fn rows_go_as_they_are_told() {
        let mut view = View::default();
        hear(&mut view, &["* 3 EXISTS", "* 1 FETCH (UID 4)", "* 3 FETCH (UID 9)"]).unwrap();
        assert!(view.hear(&Response::read(b"* VANISHED 3").unwrap(), Expunge::Any).unwrap_err().starts_with("S-02"));
        assert_eq!(view.hear(&Response::read(b"* VANISHED 6,9").unwrap(), Expunge::Any).unwrap(), [Told::Expunged(Some(6)), Told::Expunged(Some(9))]);
        assert_eq!(view.hear(&Response::read(b"* 1 EXPUNGE").unwrap(), Expunge::Any).unwrap(), [Told::Expunged(Some(4))]);
        assert!(view.rows.is_empty());
    }
}
