//! SELECT, EXAMINE — RFC 3501 §6.3.1, §6.3.2, with the parameters of RFC 7162 §3.1.8, §3.2.5.
//!
//! ```text
//! select       = ("SELECT" / "EXAMINE") SP mailbox [SP "(" select-param *(SP select-param) ")"]
//! select-param = "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
//! seq-match-data = "(" known-sequence-set SP known-uid-set ")"
//! ```

use crate::SequenceSet;
use crate::cursor::{Bad, Cursor};
use crate::view::MatchData;
use mail::{MailboxName, ModSeq};

#[derive(Clone, PartialEq, Debug)]
pub struct Select {
    pub mailbox: MailboxName,
    /// The client wants MODSEQs from now on.
    pub condstore: bool,
    /// What it knows already. `BAD` unless QRESYNC was enabled, which is the handler's to know.
    pub qresync: Option<Known>,
}

/// What a client knows of a mailbox from an earlier session.
#[derive(Clone, PartialEq, Debug)]
pub struct Known {
    pub uidvalidity: u32,
    /// 0 is taken for "nothing", as in CHANGEDSINCE.
    pub modseq: ModSeq,
    /// `None`: all there ever were.
    pub uids: Option<SequenceSet>,
    pub matches: Option<MatchData>,
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<Select, Bad> {
    cursor.sp()?;
    let mut select = Select { mailbox: cursor.mailbox()?, condstore: false, qresync: None };
    if cursor.at_end() {
        return Ok(select);
    }
    cursor.sp()?;
    cursor.expect(b'(')?;
    loop {
        match cursor.atom()?.to_ascii_uppercase().as_slice() {
            b"CONDSTORE" if !select.condstore => select.condstore = true,
            b"QRESYNC" if select.qresync.is_none() => select.qresync = Some(known(cursor)?),
            _ => return Err(Bad::syntax("Unknown SELECT parameter")),
        }
        if cursor.take(b')') {
            return Ok(select);
        }
        cursor.sp()?;
    }
}

fn known(cursor: &mut Cursor) -> Result<Known, Bad> {
    cursor.sp()?;
    cursor.expect(b'(')?;
    let uidvalidity = cursor.nz_number()?.get();
    cursor.sp()?;
    let mut known = Known { uidvalidity, modseq: cursor.modseq()?, uids: None, matches: None };
    if cursor.take(b')') {
        return Ok(known);
    }
    cursor.sp()?;
    if cursor.peek() != Some(b'(') {
        known.uids = Some(plain(cursor)?);
        if cursor.take(b')') {
            return Ok(known);
        }
        cursor.sp()?;
    }
    cursor.expect(b'(')?;
    let numbers = plain(cursor)?;
    cursor.sp()?;
    known.matches = Some(MatchData { numbers, uids: plain(cursor)? });
    cursor.expect(b')')?;
    cursor.expect(b')')?;
    Ok(known)
}

/// A set without `*` or `$`: what the client knows has an end, and comes from another session.
fn plain(cursor: &mut Cursor) -> Result<SequenceSet, Bad> {
    let set = SequenceSet::parse(cursor)?;
    if set.is_plain() { Ok(set) } else { Err(Bad::syntax("Only numbers are allowed here")) }
}
