//! The structure of a message, found in one pass while it streams by: BODYSTRUCTURE, where every part lies, how many lines
//! it has, and the envelopes (RFC 2045, 2046, 2183, 2231, RFC 3501 §7.4.2 and §6.4.5 for the numbers of parts).
//!
//! [`Scanner`] takes the canonical form (CRLF) in any cuts and keeps only what [`Structure`] needs; its memory is bounded by
//! [`Limits`], never by the message. Nothing is malformed here: what is no MIME becomes a leaf of text that a client can show.
//!
//! | met | made of it |
//! |---|---|
//! | no or unreadable `Content-Type` | `text/plain; charset=us-ascii` (`message/rfc822` in a digest) |
//! | `multipart/*` without a boundary, or without a part | one `text/plain` that is all its body |
//! | an end boundary that never comes | the part ends with its parent |
//! | `message/rfc822` in base64 or quoted-printable | a leaf `application/octet-stream`: there is no structure to tell |
//! | nesting deeper than the limit | a leaf `application/octet-stream` |
//! | more parts than the limit | not listed |
//!
//! Parts within parts are at most [`DEPTH_MAX`] deep, so everything may walk (and drop) the tree by recursion.

mod content;
mod downgrade;
mod packed;
mod scanner;

use std::ops::Range;

use crate::Envelope;
pub use content::param;
pub use downgrade::Downgrade;
pub use packed::BadStructure;
pub use scanner::Scanner;

/// Parts within parts. Real mail has at most ten; recursion over 64 fits every stack.
pub const DEPTH_MAX: usize = 64;

/// What bounds a [`Scanner`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A part this deep is a leaf; values above [`DEPTH_MAX`] are lowered to it.
    pub depth: usize,
    /// Parts listed in all. Digests of a list have hundreds; 200,000 empty ones fit 1.4 MB of mail.
    pub parts: usize,
    /// Octets kept of the fields of one header that matter here: a `To:` of thousands fits.
    pub header: usize,
    /// Octets kept so of all headers of a message: the structure in memory is a small multiple of it.
    pub headers: usize,
    /// Addresses in all envelopes.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: DEPTH_MAX, parts: 10_000, header: 256 << 10, headers: 1 << 20, addresses: crate::envelope::MAX_ADDRESSES }
    }
}

/// All that FETCH needs to know of a message besides its octets. Offsets are in its canonical form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Structure {
    pub root: Part,
    /// Octets of the whole message.
    pub size: u64,
    /// Of the message's own header.
    pub envelope: Envelope,
}

/// A body part: header and body. The root's header is the message's.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Part {
    /// With the empty line that ends it.
    pub header: Range<u64>,
    /// Without the line end before the boundary that ends it.
    pub body: Range<u64>,
    /// Line ends in the body.
    pub lines: u64,
    pub kind: Kind,
    pub media: Media,
    /// Content-ID, unfolded.
    pub id: Option<Vec<u8>>,
    /// Content-Description, unfolded, encoded words as they are.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding in lower case; `None` is `7bit`.
    pub encoding: Option<String>,
    /// Content-MD5, unfolded.
    pub md5: Option<Vec<u8>>,
    pub disposition: Option<Disposition>,
    /// The tags of Content-Language; empty is none.
    pub language: Vec<Vec<u8>>,
    /// Content-Location without blanks (RFC 2557 §4.4.2).
    pub location: Option<Vec<u8>>,
}

/// What is in a part.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    #[default]
    Leaf,
    /// At least one part.
    Multipart(Vec<Part>),
    /// A `message/rfc822` or `message/global`: `part` is the inner message as [`Structure::root`] is the outer.
    Message { envelope: Box<Envelope>, part: Box<Part> },
}

/// Content-Type. Of a parameter that comes twice the first counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// `text`, in lower case.
    pub kind: String,
    /// `plain`, in lower case.
    pub subtype: String,
    /// Names in lower case, values raw. What RFC 2231 split is joined: under `name*` (as `charset'lang'percent-coded`) if a piece
    /// was coded, else under `name`.
    pub params: Vec<(String, Vec<u8>)>,
}

impl Default for Media {
    /// What a part without Content-Type is (RFC 2045 §5.2).
    fn default() -> Media {
        Media { kind: "text".into(), subtype: "plain".into(), params: vec![("charset".into(), b"us-ascii".to_vec())] }
    }
}

impl Media {
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    /// The charset of a text; `None` if the sender said none (IMAP prints `us-ascii` then).
    pub fn charset(&self) -> Option<&[u8]> {
        self.params.iter().find(|(name, _)| name == "charset").map(|(_, value)| &value[..])
    }
}

/// Content-Disposition (RFC 2183).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disposition {
    /// `attachment`, in lower case.
    pub kind: String,
    /// As in [`Media::params`].
    pub params: Vec<(String, Vec<u8>)>,
}

impl Structure {
    /// The part an IMAP section names (RFC 3501 §6.4.5): `[2, 1]` is part 2.1; `None` if there is none, also for `[]`.
    ///
    /// For `2.HEADER` and `2.TEXT` take [`Part::message`] of part 2; for `2.MIME` its [`header`](Part::header).
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        let (&first, rest) = path.split_first()?;
        rest.iter().try_fold(self.root.within(first)?, |part, &number| match &part.kind {
            Kind::Message { part: inner, .. } => inner.within(number),
            Kind::Multipart(_) => part.within(number),
            Kind::Leaf => None,
        })
    }

    /// Whether a part is `binary`: its octets are no lines (RFC 2045 §2.9), and a change of line ends would spoil it.
    pub fn has_binary(&self) -> bool {
        self.root.has_binary()
    }

    /// The packed form for the store's cache; [`from_bytes`](Structure::from_bytes) gives back the same.
    pub fn to_bytes(&self) -> Vec<u8> {
        packed::to_bytes(self)
    }

    /// Refuses what [`to_bytes`](Structure::to_bytes) has not written, and other versions of it: then scan again.
    pub fn from_bytes(bytes: &[u8]) -> Result<Structure, BadStructure> {
        packed::from_bytes(bytes)
    }

    /// The structure of a canonical message that is in memory.
    pub fn of_message(message: &[u8]) -> Structure {
        let mut scanner = Scanner::new(Limits::default());
        scanner.feed(message);
        scanner.finish()
    }
}

impl Part {
    /// The parts it is made of: none for a leaf and for a message (whose parts are its inner message's).
    pub fn parts(&self) -> &[Part] {
        match &self.kind {
            Kind::Multipart(parts) => parts,
            _ => &[],
        }
    }

    /// The inner message of a `message/rfc822`, and its envelope.
    pub fn message(&self) -> Option<(&Envelope, &Part)> {
        match &self.kind {
            Kind::Message { envelope, part } => Some((envelope, part)),
            _ => None,
        }
    }

    /// The name to save it under, decoded: Content-Disposition's `filename`, else Content-Type's `name`.
    pub fn filename(&self) -> Option<String> {
        let given = self.disposition.as_ref().and_then(|disposition| param(&disposition.params, "filename"));
        given.or_else(|| param(&self.media.params, "name"))
    }

    fn has_binary(&self) -> bool {
        let below = match &self.kind {
            Kind::Leaf => false,
            Kind::Multipart(parts) => parts.iter().any(Part::has_binary),
            Kind::Message { part, .. } => part.has_binary(),
        };
        below || self.encoding.as_deref() == Some("binary")
    }

    /// Part `number` of a message whose root this is: a root that is no multipart is its own part 1.
    fn within(&self, number: u32) -> Option<&Part> {
        match &self.kind {
            Kind::Multipart(parts) => parts.get(usize::try_from(number).ok()?.checked_sub(1)?),
            _ => (number == 1).then_some(self),
        }
    }
}
