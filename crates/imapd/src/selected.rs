//! The selected mailbox: what this client was told of it, and how it catches up with what happened.

use std::ops::{Range, RangeInclusive};

use imap::response::{FlagList, Response};
use imap::view::{self, Expunge, Form, View};
use imap::{Code, Condition};
use mail::{Flags, ModSeq, Uid, UidValidity};
use store::{AccountId, Keywords, MailboxId, Row, Store};
use store::view::Since;

use crate::flag_names;
use crate::halt::Halt;

pub(crate) struct Selected {
    pub(crate) id: MailboxId,
    pub(crate) uidvalidity: UidValidity,
    /// EXAMINE.
    pub(crate) read_only: bool,
    /// It takes what is \Recent: not in EXAMINE, nor in IMAP4rev2, where there is no such thing.
    claims: bool,
    pub(crate) view: View,
    /// The account's `seq` up to which the view knows what happened.
    known: ModSeq,
    /// The mailbox's MODSEQ up to which the view knows what happened.
    highest: ModSeq,
    /// That up to which the client was told: behind while an EXPUNGE is held back (M-13).
    told: ModSeq,
    /// It was told that it is behind.
    behind: bool,
    /// UIDs there were when it was selected: all below this.
    uidnext: u64,
    /// The UIDs claimed last as \Recent. Those of them that the view does not know yet are in the next changes.
    claimed: Range<u64>,
    keywords: Keywords,
    /// Keywords were named that the client was not told of.
    renamed: bool,
    /// EXISTS was told last with the answer to a command that had not asked for news.
    in_passing: bool,
}

/// Claims what is \Recent in a mailbox. On a full disk nobody can; it is opened, and its new mail is told, all the same.
pub(crate) async fn claim(store: &Store, account: AccountId, mailbox: MailboxId) -> Range<u64> {
    store.take_recent(account, mailbox).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what is \\Recent can't be claimed; it stays so for the next session");
        0..0
    })
}

/// A row's state, as the view takes it.
pub(crate) fn flagged(row: &Row) -> view::Flagged {
    view::Flagged { uid: row.uid, flags: row.flags, modseq: row.modseq }
}

/// What became of the mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    There,
    /// Deleted, by another session.
    Gone,
}

impl Selected {
    /// From the store's view; the UIDs of `recent` are \Recent to this session, and so is what comes later if it `claims` that.
    pub(crate) fn new(opened: &store::View, recent: Range<u64>, read_only: bool, claims: bool) -> Selected {
        let told = |rows: &[Row]| {
            let message = |row: &Row| view::Message::new(row.uid, row.flags, row.modseq, recent.contains(&row.uid.get().into()));
            view::Told::new(rows.iter().map(message))
        };
        let last = opened.rows.last().map_or(0, |row| row.uid.get().into());
        // Where none is \Recent to it, this session is told what all are told.
        let view = match recent.is_empty() || recent.start > last {
            true => View::of(&opened.derived(told), flag_names::of(&opened.keywords)),
            false => View::of(&told(&opened.rows), flag_names::of(&opened.keywords)),
        };
        Selected {
            id: opened.mailbox.id,
            uidvalidity: opened.mailbox.uidvalidity,
            read_only,
            claims,
            view,
            known: opened.modseq,
            highest: opened.mailbox.highest,
            told: opened.mailbox.highest,
            behind: false,
            uidnext: opened.mailbox.uidnext,
            claimed: recent,
            keywords: opened.keywords.clone(),
            renamed: false,
            in_passing: false,
        }
    }

    /// Every flag the mailbox knows, for FLAGS.
    pub(crate) fn flags(&self) -> FlagList {
        FlagList::new(Flags::from_bits(u64::MAX), self.view.names())
    }

    /// PERMANENTFLAGS: none in EXAMINE; else all, and keywords may be made (F-04).
    pub(crate) fn permanent_flags(&self) -> Response {
        let code = match self.read_only {
            true => Code::PermanentFlags(FlagList::new(Flags::EMPTY, self.view.names()), false),
            false => Code::PermanentFlags(self.flags(), true),
        };
        Condition::ok(Some(code), "Flags that last").into()
    }

    /// Takes in what happened since the last time, from whoever did it. Nothing is told yet.
    pub(crate) async fn catch_up(&mut self, store: &Store, account: AccountId) -> Result<Fate, db::Error> {
        if store.is_unchanged(account, self.known, &self.keywords).await? {
            return Ok(Fate::There);
        }
        match store.changes(account, self.id, self.known).await? {
            Since::Gone => Ok(Fate::Gone),
            Since::Forgotten => self.look_again(store, account).await,
            Since::Changes(changes) => {
                let added = self.added(store, account, &changes.added).await;
                let flagged = changes.flagged.iter().map(flagged).collect();
                self.view.note(view::Changes { added, flagged, vanished: changes.vanished });
                self.known = changes.to;
                self.highest = self.highest.max(changes.highest);
                self.rename(changes.keywords);
                Ok(Fate::There)
            }
        }
    }

    /// New messages; \Recent is claimed for those nobody has claimed (F-02). What came between the last look and the claim
    /// that followed it was claimed by that.
    async fn added(&mut self, store: &Store, account: AccountId, rows: &[Row]) -> Vec<view::Message> {
        if rows.is_empty() {
            return Vec::new();
        }
        let claimed = match self.claims {
            false => 0..0,
            true => claim(store, account, self.id).await,
        };
        let is_recent = |uid: u64| self.claims && (claimed.contains(&uid) || self.claimed.contains(&uid));
        let message = |row: &Row| view::Message::new(row.uid, row.flags, row.modseq, is_recent(row.uid.get().into()));
        let added = rows.iter().map(message).collect();
        self.claimed = claimed;
        added
    }

    /// The log does not reach back to what we know: compares with the whole mailbox.
    async fn look_again(&mut self, store: &Store, account: AccountId) -> Result<Fate, db::Error> {
        let mailboxes = store.mailboxes(account).await?;
        let Some(mailbox) = mailboxes.into_iter().find(|mailbox| mailbox.id == self.id) else { return Ok(Fate::Gone) };
        let now = match store.open(account, &mailbox.name).await {
            Ok(opened) if opened.mailbox.id == self.id => opened,
            Ok(_) => return Ok(Fate::Gone),
            Err(error) if store::refused(&error).is_some() => return Ok(Fate::Gone),
            Err(error) => return Err(error),
        };
        let all = self.view.all();
        let is_gone = |uid: &Uid| now.rows.binary_search_by_key(uid, |row| row.uid).is_err();
        let vanished = self.view.messages(&all).map(|(_, message)| message.uid).filter(is_gone).collect();
        let last = self.view.message(self.view.count()).map(|message| message.uid);
        let new = now.rows.partition_point(|row| last.is_some_and(|last| row.uid <= last));
        let (old, new) = now.rows.split_at(new);
        let added = self.added(store, account, new).await;
        let flagged = old.iter().map(flagged).collect();
        self.view.note(view::Changes { added, flagged, vanished });
        self.known = now.modseq;
        self.highest = self.highest.max(now.mailbox.highest);
        self.rename(now.keywords.clone());
        Ok(Fate::There)
    }

    fn rename(&mut self, keywords: Keywords) {
        if keywords != self.keywords {
            self.view.set_names(flag_names::of(&keywords));
            self.keywords = keywords;
            self.renamed = true;
        }
    }

    /// What the client must hear now. A new keyword is announced before the first message that has it (E-12).
    ///
    /// Who lives by MODSEQs takes the highest it sees for all that there was. While an EXPUNGE is held back, that would lose it, so
    /// it is told where it stands; and again once it has been told all (RFC 7162 §3.2, §6, M-13).
    pub(crate) fn tell(&mut self, expunge: Expunge, form: Form) -> Vec<Response> {
        let mut lines = Vec::new();
        if std::mem::take(&mut self.renamed) {
            lines.push(Response::Flags(self.flags()));
            lines.push(self.permanent_flags());
        }
        lines.append(&mut self.view.tell(expunge, form));
        if self.view.holds_back() {
            self.behind = true;
        } else {
            self.told = self.highest;
        }
        if form.vanished && self.behind {
            lines.push(self.highest_told());
            self.behind = self.view.holds_back();
        }
        lines
    }

    /// Notes what is told with the answer to a command; `asked` if the command is one that asks for news.
    pub(crate) fn mention(&mut self, lines: &[Response], asked: bool) {
        if lines.iter().any(|line| matches!(line, Response::Exists(_))) {
            self.in_passing = !asked;
        }
    }

    /// What was told in passing, once more: Thunderbird heeds EXISTS in IDLE and asks after NOOP, but overlooks it in an answer to FETCH,
    /// and would show the message with the next one only.
    pub(crate) fn mentioned(&mut self) -> Option<Response> {
        std::mem::take(&mut self.in_passing).then(|| Response::Exists(self.view.count()))
    }

    /// The MODSEQ up to which the client was told everything.
    pub(crate) fn told(&self) -> ModSeq {
        self.told
    }

    /// The same as a line of its own.
    pub(crate) fn highest_told(&self) -> Response {
        Condition::ok(Some(Code::HighestModSeq(self.told)), "Highest").into()
    }

    /// UIDs that a message has had, as far as the client knows.
    pub(crate) fn uids(&self) -> RangeInclusive<u32> {
        let first = self.uidnext.saturating_sub(1).min(u32::MAX.into()) as u32;
        let last = self.view.message(self.view.count()).map_or(0, |message| message.uid.get());
        1..=first.max(last)
    }

    /// The account's flag of a keyword, if it has been named.
    pub(crate) fn keyword(&self, name: &mail::Keyword) -> Option<Flags> {
        self.keywords.flag(name)
    }

    /// The UIDs of these messages that are not known to be gone, ascending.
    pub(crate) fn living(&self, chosen: &view::Chosen) -> Vec<Uid> {
        self.view.messages(chosen).filter(|(_, message)| !message.is_gone()).map(|(_, message)| message.uid).collect()
    }

    /// For commands that change messages: EXAMINE forbids them.
    pub(crate) fn writable(&self) -> Result<(), Halt> {
        if self.read_only { Err(crate::no::read_only().into()) } else { Ok(()) }
    }
}
