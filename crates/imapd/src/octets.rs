//! Which octets of a message a FETCH section means — RFC 3501 §6.4.5. What is not there is empty, never an error (B-03).

use std::ops::Range;

use bodies::Reader;
use bytes::Bytes;
use imap::command::fetch::{Partial, Section, SectionText};
use mail::header;
use mail::mime::{Part, Structure};
pub(crate) use store::texts::HEADER_LIMIT;

/// Where a section's octets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Octets<'s> {
    /// As they are in the message.
    Range(Range<u64>),
    /// Fields of this header.
    Fields { header: Range<u64>, names: &'s [String], named: bool },
}

/// Finds the section. Needs no structure for the whole message.
pub(crate) fn locate<'s>(section: &'s Section, structure: &Structure) -> Octets<'s> {
    let nothing = Octets::Range(0..0);
    if section.part.is_empty() {
        return match section.text {
            SectionText::All => Octets::Range(0..structure.size),
            SectionText::Mime => nothing,
            _ => of_message(&section.text, &structure.root),
        };
    }
    let Some(part) = structure.part(&section.part) else { return nothing };
    match section.text {
        SectionText::All => Octets::Range(part.body.clone()),
        SectionText::Mime => Octets::Range(part.header.clone()),
        // HEADER and TEXT are those of an inner message; other parts have none.
        _ => part.message().map_or(nothing, |(_, inner)| of_message(&section.text, inner)),
    }
}

fn of_message<'s>(text: &'s SectionText, message: &Part) -> Octets<'s> {
    let header = message.header.clone();
    match text {
        SectionText::Header => Octets::Range(header),
        SectionText::HeaderFields(names) => Octets::Fields { header, names, named: true },
        SectionText::HeaderFieldsNot(names) => Octets::Fields { header, names, named: false },
        SectionText::Text => Octets::Range(message.body.clone()),
        SectionText::All | SectionText::Mime => Octets::Range(0..0),
    }
}

/// The part of a range that `<origin.length>` asks for; past the end it is empty (B-02).
pub(crate) fn clip(range: &Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(Partial { origin, length }) = partial else { return range.clone() };
    let start = range.start.saturating_add(origin).min(range.end);
    start..start.saturating_add(length).min(range.end)
}

/// Octets as a literal may have them: `CHAR8` has no NUL (RFC 3501 §9), and some clients end there. 0x80 keeps the length.
pub(crate) fn without_nul(octets: Bytes) -> Bytes {
    match memchr::memchr(0, &octets) {
        None => octets,
        Some(_) => octets.iter().map(|&octet| if octet == 0 { 0x80 } else { octet }).collect(),
    }
}

/// The chosen fields of a header as they came, and the empty line that ends it (B-01).
pub(crate) async fn fields(reader: &mut Reader, header: &Range<u64>, names: &[impl AsRef<str>], named: bool, partial: Option<Partial>) -> Result<Bytes, bodies::Error> {
    let end = header.end.min(header.start.saturating_add(HEADER_LIMIT));
    let octets = reader.read(header.start..end).await?;
    let chosen = chosen(&octets, names, named);
    let clipped = clip(&(0..chosen.len() as u64), partial);
    Ok(Bytes::from(chosen).slice(clipped.start as usize..clipped.end as usize)) // both within the length
}

/// The fields that are named (or those that are not) of a header in memory, and the empty line.
pub(crate) fn chosen(octets: &[u8], names: &[impl AsRef<str>], named: bool) -> Vec<u8> {
    let mut chosen = Vec::with_capacity(octets.len().min(HEADER_LIMIT as usize) + 2);
    for field in header::fields(octets) {
        if names.iter().any(|name| field.is(name.as_ref())) == named {
            let lines = octets.get(field.span.clone()).unwrap_or_default();
            chosen.extend_from_slice(lines);
            if !lines.ends_with(b"\n") {
                chosen.extend_from_slice(b"\r\n");
            }
        }
    }
    chosen.extend_from_slice(b"\r\n");
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "Subject: hi\r\n\r\nbody\r\n";
    const MIXED: &str = "Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain\r\n\r\none\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nX: 1\r\n\r\ndeep\r\n--c--\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: simple\r\n\r\nletter\r\n--b--\r\n";

    fn section(part: &[u32], text: SectionText) -> Section {
        Section { part: part.to_vec(), text }
    }

    fn shown(message: &str, part: &[u32], text: SectionText) -> String {
        let section = section(part, text);
        let structure = Structure::of_message(message.as_bytes());
        match locate(&section, &structure) {
            Octets::Range(range) => message[range.start as usize..range.end as usize].to_owned(),
            Octets::Fields { header, names, named } => {
                let octets = &message.as_bytes()[header.start as usize..header.end as usize];
                String::from_utf8(chosen(octets, names, named)).unwrap()
            }
        }
    }

    #[test]
    fn b_03_part_numbers() {
        use SectionText::{All, Header, Mime, Text};
        let inner = "Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nX: 1\r\n\r\ndeep\r\n--c--";
        let table = [
            (PLAIN, &[][..], All, PLAIN),
            (PLAIN, &[], Header, "Subject: hi\r\n\r\n"),
            (PLAIN, &[], Text, "body\r\n"),
            (PLAIN, &[1], All, "body\r\n"),
            (PLAIN, &[1], Mime, "Subject: hi\r\n\r\n"),
            (PLAIN, &[1], Header, ""),
            (PLAIN, &[1], Text, ""),
            (PLAIN, &[7], All, ""),
            (PLAIN, &[1, 1], All, ""),
            (MIXED, &[1], All, "one"),
            (MIXED, &[1], Mime, "Content-Type: text/plain\r\n\r\n"),
            (MIXED, &[1], Header, ""),
            (MIXED, &[2], All, inner),
            (MIXED, &[2], Mime, "Content-Type: message/rfc822\r\n\r\n"),
            (MIXED, &[2], Header, "Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"),
            (MIXED, &[2], Text, "--c\r\nX: 1\r\n\r\ndeep\r\n--c--"),
            (MIXED, &[2, 1], All, "deep"),
            (MIXED, &[2, 1], Mime, "X: 1\r\n\r\n"),
            (MIXED, &[2, 2], All, ""),
            (MIXED, &[3, 1], All, "letter"),
            (MIXED, &[3], Text, "letter"),
            (MIXED, &[4], All, ""),
        ];
        for (message, part, text, octets) in table {
            assert_eq!(shown(message, part, text.clone()), octets, "{part:?} {text:?}");
        }
    }

    #[test]
    fn b_01_fields_keep_order_folding_and_case() {
        let message = "B: 1\r\nsubJect: a\r\n\tfolded\r\nNoColon\r\nA: 2\r\nb: 3\r\n\r\nbody";
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let table = [
            (SectionText::HeaderFields(names(&["SUBJECT", "b"])), "B: 1\r\nsubJect: a\r\n\tfolded\r\nb: 3\r\n\r\n"),
            (SectionText::HeaderFieldsNot(names(&["B", "subject"])), "NoColon\r\nA: 2\r\n\r\n"),
            (SectionText::HeaderFields(names(&["X-None"])), "\r\n"),
        ];
        for (text, octets) in table {
            assert_eq!(shown(message, &[], text), octets);
        }
        assert_eq!(shown("A: without an end", &[], SectionText::HeaderFields(names(&["a"]))), "A: without an end\r\n\r\n");
    }

    #[test]
    fn b_02_a_partial_is_clipped() {
        let clipped = |origin, length| clip(&(100..110), Some(Partial { origin, length }));
        assert_eq!(clipped(0, 4), 100..104);
        assert_eq!(clipped(8, 4), 108..110);
        assert_eq!(clipped(10, 1), 110..110);
        assert_eq!(clipped(10_000, 5), 110..110);
        assert_eq!(clipped(u64::MAX, u64::MAX), 110..110);
        assert_eq!(clip(&(3..5), None), 3..5);
    }
}
