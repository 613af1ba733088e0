//! Response codes, the machine-readable half of a status: RFC 3501 §7.1, 4315 §3, 5530 §3, 7162 §7; and the capability list.

use super::{FlagList, Text, wire};
use crate::SequenceSet;
use bytes::BytesMut;
use mail::{ModSeq, Uid, UidValidity};

#[derive(Clone, PartialEq, Debug)]
pub enum Code {
    /// Pops up a window in Outlook at each connection (C-10): sparingly.
    Alert,
    AlreadyExists,
    /// Messages appended: UIDVALIDITY and their UIDs, in the order in which they came.
    AppendUid(UidValidity, Vec<Uid>),
    AuthenticationFailed,
    AuthorizationFailed,
    BadCharset(Vec<Text>),
    Cannot,
    Capability(Vec<Text>),
    ClientBug,
    Closed,
    /// RFC 4978 §3: what is asked for twice is active already.
    CompressionActive,
    ContactAdmin,
    /// UIDVALIDITY of the target, and pairs of source and target UID, ascending by source. Not for an empty copy.
    CopyUid(UidValidity, Vec<(Uid, Uid)>),
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    /// All changes up to this one are told (RFC 7162 §6).
    HighestModSeq(ModSeq),
    InUse,
    Limit,
    /// Messages that a conditional STORE left alone, by number or by UID as the command has them.
    Modified(SequenceSet),
    NonExistent,
    NoPerm,
    OverQuota,
    Parse,
    /// The flags that last; `true`: keywords may be made (`\*`).
    PermanentFlags(FlagList, bool),
    PrivacyRequired,
    ReadOnly,
    ReadWrite,
    ServerBug,
    TooBig,
    TryCreate,
    /// May be 2³² when all are used, so no [`Uid`].
    UidNext(u64),
    UidValidity(UidValidity),
    Unavailable,
    UnknownCte,
    /// Sequence number of the first message without `\Seen`.
    Unseen(u32),
    /// The special use can't be given to the mailbox (RFC 6154 §3).
    UseAttr,
}

impl Code {
    /// Without the brackets.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        if let Some(name) = self.plain() {
            out.extend_from_slice(name.as_bytes());
            return;
        }
        match self {
            Code::AppendUid(validity, messages) => {
                wire::push(out, format_args!("APPENDUID {validity} "));
                runs(messages.iter().map(|uid| uid.get()), out);
            }
            Code::BadCharset(charsets) => {
                wire::push(out, format_args!("BADCHARSET ("));
                for (index, charset) in charsets.iter().enumerate() {
                    let space = if index > 0 { " " } else { "" };
                    wire::push(out, format_args!("{space}"));
                    wire::astring(out, charset.as_bytes());
                }
                out.extend_from_slice(b")");
            }
            Code::Capability(names) => {
                out.extend_from_slice(b"CAPABILITY");
                wire::spaced(out, names);
            }
            Code::CopyUid(validity, pairs) => {
                wire::push(out, format_args!("COPYUID {validity} "));
                runs(pairs.iter().map(|(from, _)| from.get()), out);
                out.extend_from_slice(b" ");
                runs(pairs.iter().map(|(_, to)| to.get()), out);
            }
            Code::HighestModSeq(modseq) => wire::push(out, format_args!("HIGHESTMODSEQ {modseq}")),
            Code::Modified(messages) => wire::push(out, format_args!("MODIFIED {messages}")),
            Code::PermanentFlags(flags, more) => {
                out.extend_from_slice(b"PERMANENTFLAGS ");
                flags.write_with(out, more.then_some("\\*"));
            }
            Code::UidNext(next) => wire::push(out, format_args!("UIDNEXT {next}")),
            Code::UidValidity(validity) => wire::push(out, format_args!("UIDVALIDITY {validity}")),
            Code::Unseen(number) => wire::push(out, format_args!("UNSEEN {number}")),
            _ => {}
        }
    }

    /// Codes without arguments.
    fn plain(&self) -> Option<&'static str> {
        Some(match self {
            Code::Alert => "ALERT",
            Code::AlreadyExists => "ALREADYEXISTS",
            Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Code::Cannot => "CANNOT",
            Code::ClientBug => "CLIENTBUG",
            Code::Closed => "CLOSED",
            Code::CompressionActive => "COMPRESSIONACTIVE",
            Code::ContactAdmin => "CONTACTADMIN",
            Code::Corruption => "CORRUPTION",
            Code::Expired => "EXPIRED",
            Code::ExpungeIssued => "EXPUNGEISSUED",
            Code::HasChildren => "HASCHILDREN",
            Code::InUse => "INUSE",
            Code::Limit => "LIMIT",
            Code::NonExistent => "NONEXISTENT",
            Code::NoPerm => "NOPERM",
            Code::OverQuota => "OVERQUOTA",
            Code::Parse => "PARSE",
            Code::PrivacyRequired => "PRIVACYREQUIRED",
            Code::ReadOnly => "READ-ONLY",
            Code::ReadWrite => "READ-WRITE",
            Code::ServerBug => "SERVERBUG",
            Code::TooBig => "TOOBIG",
            Code::TryCreate => "TRYCREATE",
            Code::Unavailable => "UNAVAILABLE",
            Code::UnknownCte => "UNKNOWN-CTE",
            Code::UseAttr => "USEATTR",
            _ => return None,
        })
    }
}

/// `sequence-set` or `uid-set` in the order given: only runs that ascend by one become ranges, so both sets of a COPYUID expand
/// alike, and a sorted result keeps its order (RFC 5267 §3.2).
pub(super) fn runs(numbers: impl Iterator<Item = u32>, out: &mut BytesMut) {
    let mut numbers = numbers.peekable();
    let mut comma = "";
    while let Some(first) = numbers.next() {
        let mut last = first;
        while let Some(next) = numbers.next_if(|next| last.checked_add(1) == Some(*next)) {
            last = next;
        }
        wire::push(out, format_args!("{comma}{first}"));
        if last != first {
            wire::push(out, format_args!(":{last}"));
        }
        comma = ",";
    }
}

/// What the capability list depends on.
#[derive(Clone, Debug)]
pub struct Announce<'a> {
    pub logged_in: bool,
    /// STARTTLS is possible now: before login, without TLS, with a certificate.
    pub starttls: bool,
    /// Names as in `AUTH=`; those that may be used now.
    pub mechanisms: &'a [&'a str],
    /// LOGIN is refused now (C-03).
    pub login_disabled: bool,
    /// COMPRESS is possible now: after login, once.
    pub compress: bool,
    /// Largest message APPEND takes, in octets (RFC 7889).
    pub append_limit: u64,
}

/// The capability list: only what this crate's grammar knows.
pub fn capabilities(announce: &Announce<'_>) -> Vec<Text> {
    // Never both LITERAL- and LITERAL+ (RFC 7888 §5): strangers may not send much unasked.
    let literal = if announce.logged_in { "LITERAL+" } else { "LITERAL-" };
    // In this order: a client that takes the first it knows shall have what every other has.
    let mut names: Vec<Text> = vec!["IMAP4rev1".into(), "IMAP4rev2".into(), "ID".into(), "ENABLE".into(), literal.into()];
    if announce.logged_in {
        let more = [
            "IDLE", "NAMESPACE", "CHILDREN", "UNSELECT", "UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC",
            "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "CREATE-SPECIAL-USE", "STATUS=SIZE",
            "MULTIAPPEND", "BINARY",
            "QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE",
            "ESEARCH", "SEARCHRES", "WITHIN",
            "SORT", "SORT=DISPLAY", "ESORT", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES",
        ];
        names.extend(more.map(Text::from));
        if announce.compress {
            names.push("COMPRESS=DEFLATE".into());
        }
        names.push(format!("APPENDLIMIT={}", announce.append_limit).into());
        return names;
    }
    names.push("SASL-IR".into());
    if announce.starttls {
        names.push("STARTTLS".into());
    }
    if announce.login_disabled {
        names.push("LOGINDISABLED".into());
    }
    names.extend(announce.mechanisms.iter().map(|name| format!("AUTH={name}").into()));
    names
}
