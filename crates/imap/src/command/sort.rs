//! SORT, UID SORT — RFC 5256 §3; DISPLAYFROM, DISPLAYTO — RFC 5957; RETURN — RFC 5267 §3.
//!
//! ```text
//! sort           = "SORT" [SP "RETURN" …] SP "(" sort-criterion *(SP sort-criterion) ")" SP charset 1*(SP search-key)
//! sort-criterion = ["REVERSE" SP] sort-key
//! ```

use super::search::{Key, Returns, charset_of, keys, returns};
use super::CommandBody;
use crate::cursor::{Bad, Cursor};

#[derive(Clone, PartialEq, Debug)]
pub struct Sort {
    pub uid: bool,
    /// `None`: the result is told as `* SORT`.
    pub returns: Option<Returns>,
    /// One at least; the first weighs most.
    pub criteria: Vec<Criterion>,
    pub key: Key,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Criterion {
    pub by: By,
    /// Of this criterion alone; messages that are alike stand by number all the same (Q-10).
    pub reverse: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
}

impl By {
    pub(super) const NAMES: [(&'static str, By); 9] = [
        ("ARRIVAL", By::Arrival),
        ("CC", By::Cc),
        ("DATE", By::Date),
        ("FROM", By::From),
        ("SIZE", By::Size),
        ("SUBJECT", By::Subject),
        ("TO", By::To),
        ("DISPLAYFROM", By::DisplayFrom),
        ("DISPLAYTO", By::DisplayTo),
    ];
}

/// Criteria in one command: there are as many things to sort by, and again in reverse; more say nothing new.
const MOST: usize = 2 * By::NAMES.len();

pub(crate) fn parse(cursor: &mut Cursor, uid: bool) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let returns = returns(cursor)?;
    let criteria = criteria(cursor)?;
    cursor.sp()?;
    let charset = charset_of(cursor, returns)?;
    cursor.sp()?;
    let key = keys(cursor, charset)?;
    Ok(CommandBody::Sort(Sort { uid, returns, criteria, key }))
}

fn criteria(cursor: &mut Cursor) -> Result<Vec<Criterion>, Bad> {
    cursor.expect(b'(')?;
    let mut criteria = Vec::new();
    while criteria.len() < MOST {
        let reverse = cursor.peek_atom().eq_ignore_ascii_case(b"REVERSE");
        if reverse {
            cursor.skip_atom();
            cursor.sp()?;
        }
        let name = cursor.atom()?;
        let by = By::NAMES.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        let by = by.ok_or(Bad::syntax("Unknown SORT criterion"))?.1;
        criteria.push(Criterion { by, reverse });
        if cursor.take(b')') {
            return Ok(criteria);
        }
        cursor.sp()?;
    }
    Err(Bad::limit("Too many SORT criteria"))
}
