//! STATUS — RFC 3501 §6.3.10; HIGHESTMODSEQ — RFC 7162 §3.1.7; SIZE — RFC 8438; DELETED, DELETED-STORAGE — RFC 9208 §4.1.4;
//! APPENDLIMIT — RFC 7889 §4.

use super::CommandBody;
use crate::cursor::{Bad, Cursor};
use mail::MailboxName;

#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    pub mailbox: MailboxName,
    /// Each once, in the order asked.
    pub items: Vec<StatusItem>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    HighestModSeq,
    /// Messages with `\Deleted`.
    Deleted,
    /// Octets of all messages.
    Size,
    /// Octets of those with `\Deleted`.
    DeletedStorage,
    /// Octets of the largest message that APPEND takes.
    AppendLimit,
}

impl StatusItem {
    pub const ALL: [StatusItem; 10] = [
        StatusItem::Messages,
        StatusItem::Recent,
        StatusItem::UidNext,
        StatusItem::UidValidity,
        StatusItem::Unseen,
        StatusItem::HighestModSeq,
        StatusItem::Deleted,
        StatusItem::Size,
        StatusItem::DeletedStorage,
        StatusItem::AppendLimit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            StatusItem::Messages => "MESSAGES",
            StatusItem::Recent => "RECENT",
            StatusItem::UidNext => "UIDNEXT",
            StatusItem::UidValidity => "UIDVALIDITY",
            StatusItem::Unseen => "UNSEEN",
            StatusItem::HighestModSeq => "HIGHESTMODSEQ",
            StatusItem::Deleted => "DELETED",
            StatusItem::Size => "SIZE",
            StatusItem::DeletedStorage => "DELETED-STORAGE",
            StatusItem::AppendLimit => "APPENDLIMIT",
        }
    }
}

pub(crate) fn parse(cursor: &mut Cursor) -> Result<CommandBody, Bad> {
    cursor.sp()?;
    let mailbox = cursor.mailbox()?;
    cursor.sp()?;
    Ok(CommandBody::Status(Status { mailbox, items: items(cursor)? }))
}

/// `"(" status-att *(SP status-att) ")"`
pub(super) fn items(cursor: &mut Cursor) -> Result<Vec<StatusItem>, Bad> {
    cursor.expect(b'(')?;
    let mut items = Vec::new();
    loop {
        let name = cursor.atom()?;
        let item = StatusItem::ALL
            .into_iter()
            .find(|item| item.name().as_bytes().eq_ignore_ascii_case(name))
            .ok_or(Bad::syntax("Unknown STATUS item"))?;
        if !items.contains(&item) {
            items.push(item);
        }
        if cursor.take(b')') {
            return Ok(items);
        }
        cursor.sp()?;
    }
}
