//! IDLE — RFC 2177. Its end is the line `DONE`, without a tag.

/// Whether this line ends IDLE; any other is a mistake and ends it with `BAD`.
pub(crate) fn is_done(line: &[u8]) -> bool {
    line.eq_ignore_ascii_case(b"DONE")
}
