//! The Content-* fields of a part (RFC 2045 §5, RFC 2183, RFC 2231, RFC 3282).
//!
//! ```text
//! content   = type "/" subtype *( ";" parameter )
//! parameter = attribute "=" ( token / quoted-string )
//! attribute = name [ "*" number ] [ "*" ]                     ; RFC 2231
//! ```

use super::{Disposition, Media, Part};
use crate::encoded_word::{decode_charset, decode_text, guess, hex};
use crate::header::{Field, unfold};

/// Parameters read of one field: real ones have five, RFC 2231 pieces of a long name perhaps fifty.
const PARAMS_MAX: usize = 256;

/// Takes up a Content-* field; of two of one name the first counts. Says whether the field was a readable Content-Type.
pub(super) fn note(part: &mut Part, field: &Field<'_>) -> Option<Media> {
    let text = || unfold(field.value);
    if field.is("Content-Type") {
        return media(&text());
    } else if field.is("Content-Transfer-Encoding") {
        part.encoding = part.encoding.take().or_else(|| encoding(&text()));
    } else if field.is("Content-Disposition") {
        part.disposition = part.disposition.take().or_else(|| disposition(&text()));
    } else if field.is("Content-ID") {
        part.id.get_or_insert_with(text);
    } else if field.is("Content-Description") {
        part.description.get_or_insert_with(text);
    } else if field.is("Content-MD5") {
        part.md5.get_or_insert_with(text);
    } else if field.is("Content-Language") && part.language.is_empty() {
        part.language = languages(&text());
    } else if field.is("Content-Location") {
        part.location.get_or_insert_with(|| text().into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect());
    }
    None
}

/// The decoded value of a parameter: RFC 2231 if `name*` is there, else the plain one, in which many senders put encoded words.
pub fn param(params: &[(String, Vec<u8>)], name: &str) -> Option<String> {
    let value = |wanted: &dyn Fn(&str) -> bool| params.iter().find(|(name, _)| wanted(name)).map(|(_, value)| &value[..]);
    match value(&|given| given.strip_suffix('*').is_some_and(|stem| stem.eq_ignore_ascii_case(name))) {
        Some(coded) => Some(decode_extended(coded)),
        None => value(&|given| given.eq_ignore_ascii_case(name)).map(decode_text),
    }
}

/// `charset'language'percent-coded`.
fn decode_extended(value: &[u8]) -> String {
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, coded) = match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(charset), Some(language), Some(coded)) => (charset, language, coded),
        _ => (&b""[..], &b""[..], value),
    };
    let mut bytes = Vec::with_capacity(coded.len());
    let mut rest = coded;
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = if byte == b'%' { hex(after) } else { None };
        bytes.push(decoded.unwrap_or(byte));
        rest = after.get(if decoded.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decode_charset(charset, &bytes).unwrap_or_else(|| guess(&bytes))
}

/// `None` if there is no `type/subtype`.
fn media(value: &[u8]) -> Option<Media> {
    let (kind, rest) = token(skip_blanks(value));
    let (subtype, rest) = token(skip_blanks(skip_blanks(rest).strip_prefix(b"/")?));
    if kind.is_empty() || subtype.is_empty() {
        return None;
    }
    Some(Media { kind: lower(kind), subtype: lower(subtype), params: params(rest) })
}

fn disposition(value: &[u8]) -> Option<Disposition> {
    let (kind, rest) = token(skip_blanks(value));
    (!kind.is_empty()).then(|| Disposition { kind: lower(kind), params: params(rest) })
}

fn encoding(value: &[u8]) -> Option<String> {
    let (token, _) = token(skip_blanks(value));
    (!token.is_empty()).then(|| lower(token))
}

fn languages(value: &[u8]) -> Vec<Vec<u8>> {
    let tags = value.split(|byte| *byte == b',').map(|tag| token(skip_blanks(tag)).0.to_vec());
    tags.filter(|tag| !tag.is_empty()).take(PARAMS_MAX).collect()
}

fn params(value: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut plain, mut pieces): (Vec<(String, Vec<u8>)>, Vec<Piece>) = (Vec::new(), Vec::new());
    let mut rest = value;
    while plain.len() + pieces.len() < PARAMS_MAX {
        let Some(semicolon) = memchr::memchr(b';', rest) else { break };
        rest = skip_blanks(rest.get(semicolon + 1..).unwrap_or_default());
        let (name, after) = token(rest);
        // Moves on in any case: a comment that never ends must not be read again for each semicolon in it.
        rest = skip_blanks(after);
        let Some(after) = rest.strip_prefix(b"=") else { continue };
        let (given, after) = param_value(skip_blanks(after));
        rest = after;
        if name.is_empty() {
            continue;
        }
        match Piece::new(&lower(name), &given) {
            Some(piece) => pieces.push(piece),
            None => keep_first(&mut plain, (lower(name), given)),
        }
    }
    // Stable: of two pieces of one number the first counts.
    pieces.sort_by(|a, b| (&a.stem, a.number).cmp(&(&b.stem, b.number)));
    for pieces in pieces.chunk_by(|a, b| a.stem == b.stem) {
        if let Some(joined) = join(pieces) {
            keep_first(&mut plain, joined);
        }
    }
    plain
}

fn keep_first(params: &mut Vec<(String, Vec<u8>)>, param: (String, Vec<u8>)) {
    if !params.iter().any(|(name, _)| *name == param.0) {
        params.push(param);
    }
}

/// A piece `stem*number` or `stem*number*` of a parameter that RFC 2231 §3 splits.
struct Piece {
    stem: String,
    number: u16,
    coded: bool,
    value: Vec<u8>,
}

impl Piece {
    fn new(name: &str, value: &[u8]) -> Option<Piece> {
        let (name, coded) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
        let (stem, digits) = name.split_once('*')?;
        let number = if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok()? } else { return None };
        Some(Piece { stem: stem.to_owned(), number, coded, value: value.to_vec() })
    }
}

/// Pieces of one stem by their numbers, up to the first that is missing; `None` if that is the first.
fn join(pieces: &[Piece]) -> Option<(String, Vec<u8>)> {
    let coded = pieces.iter().any(|piece| piece.coded);
    let (mut value, mut next) = (Vec::new(), 0);
    for piece in pieces {
        match piece.number.cmp(&next) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Greater => break,
            std::cmp::Ordering::Equal => next += 1,
        }
        if coded && piece.number == 0 && !piece.coded {
            value.extend_from_slice(b"''");
        }
        if coded && !piece.coded {
            percent(&piece.value, &mut value);
        } else {
            value.extend_from_slice(&piece.value);
        }
    }
    let stem = &pieces.first()?.stem;
    (next > 0).then(|| (if coded { format!("{stem}*") } else { stem.clone() }, value))
}

/// A plain piece among coded ones.
fn percent(plain: &[u8], out: &mut Vec<u8>) {
    for byte in plain {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`{|}~".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// A quoted string, or all up to the next `;`: names of files with blanks often lack their quotes. A comment after a blank
/// ends it.
fn param_value(text: &[u8]) -> (Vec<u8>, &[u8]) {
    if let Some(mut rest) = text.strip_prefix(b"\"") {
        let mut value = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after.split_first()) {
                (b'"', _) => break,
                (b'\\', Some((&next, after))) => {
                    value.push(next);
                    rest = after;
                }
                (other, _) => value.push(other),
            }
        }
        return (value, rest);
    }
    let end = memchr::memchr(b';', text).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    let value = memchr::memmem::find(value, b" (").map_or(value, |comment| value.get(..comment).unwrap_or_default());
    (value.trim_ascii().to_vec(), rest)
}

/// RFC 2045 §5.1; octets above ASCII are taken too.
fn token(text: &[u8]) -> (&[u8], &[u8]) {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"()<>@,;:\\\"/[]?=".contains(byte);
    text.split_at(text.iter().position(ends).unwrap_or(text.len()))
}

/// Blanks and comments, without recursion.
fn skip_blanks(text: &[u8]) -> &[u8] {
    let (mut rest, mut depth) = (text, 0usize);
    while let Some((byte, after)) = rest.split_first() {
        match byte {
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            b'\\' if depth > 0 => {
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            b' ' | b'\t' => {}
            _ if depth > 0 => {}
            _ => break,
        }
        rest = after;
    }
    rest
}

fn lower(token: &[u8]) -> String {
    String::from_utf8_lossy(token).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(value: &str) -> Option<String> {
        let media = media(value.as_bytes())?;
        let params = media.params.iter().map(|(name, value)| format!("; {name}={}", String::from_utf8_lossy(value)));
        Some(format!("{}/{}{}", media.kind, media.subtype, params.collect::<String>()))
    }

    #[test]
    fn content_types() {
        for (given, seen) in [
            ("Text/PLAIN", Some("text/plain")),
            ("text/plain; charset=us-ascii (Plain text)", Some("text/plain; charset=us-ascii")),
            ("(c) text (d) / plain ; Charset = \"x;\\\"y\"; a=b", Some("text/plain; charset=x;\"y; a=b")),
            ("multipart/mixed;boundary=\"--=_a b\";;", Some("multipart/mixed; boundary=--=_a b")),
            ("application/pdf; name=my file.pdf; x", Some("application/pdf; name=my file.pdf")),
            ("text/html; charset", Some("text/html")),
            ("text/html; =x; a=", Some("text/html; a=")),
            ("text/html charset=x", Some("text/html")),
            ("a/b; x=1; X=2", Some("a/b; x=1")),
            ("a/b; x=\"open", Some("a/b; x=open")),
            ("a/b; n*1=two; n*0=\"one \"", Some("a/b; n=one two")),
            ("a/b; n*0*=utf-8'de'%C3; n*1*=%BC; n*2=\" z\"", Some("a/b; n*=utf-8'de'%C3%BC%20z")),
            ("a/b; n*1=x; n*3=y", Some("a/b")),
            ("a/b; n*0=x; n*2=y; n*0=z", Some("a/b; n=x")),
            ("a/b; n*=utf-8''%C3%BC", Some("a/b; n*=utf-8''%C3%BC")),
            ("text", None),
            ("", None),
            ("/plain", None),
            ("text/", None),
            ("text plain", None),
            ("(open text/plain", None),
        ] {
            assert_eq!(shown(given).as_deref(), seen, "{given}");
        }
    }

    #[test]
    fn names_are_decoded() {
        for (given, name) in [
            ("a/b; name=\"=?utf-8?q?=C3=BC?=.txt\"", Some("ü.txt")),
            ("a/b; name=x; name*=iso-8859-1''%FC", Some("ü")),
            ("a/b; name*=%41", Some("A")),
            ("a/b; name*=utf-8''%4", Some("%4")),
            ("a/b; name*0*=utf-8''%C3; name*1*=%BC", Some("ü")),
            ("a/b", None),
        ] {
            let media = media(given.as_bytes()).unwrap();
            assert_eq!(param(&media.params, "name").as_deref(), name, "{given}");
        }
    }

    #[test]
    fn other_fields() {
        let mut part = Part::default();
        let header = b"Content-Transfer-Encoding: BASE64 (x)\r\nContent-Disposition: Attachment; filename=a\r\nContent-Language: en, de-AT (x),\r\n\
            Content-Location: http://a/\r\n b\r\nContent-ID: <x>\r\nContent-ID: <y>\r\nContent-Description:\r\n";
        for field in crate::header::fields(header) {
            assert!(note(&mut part, &field).is_none());
        }
        assert_eq!(part.encoding.as_deref(), Some("base64"));
        assert_eq!(part.filename().as_deref(), Some("a"));
        assert_eq!(part.disposition.map(|d| d.kind).as_deref(), Some("attachment"));
        assert_eq!(part.language, [b"en".to_vec(), b"de-AT".to_vec()]);
        assert_eq!(part.location.as_deref(), Some(&b"http://a/b"[..]));
        assert_eq!(part.id.as_deref(), Some(&b"<x>"[..]));
        assert_eq!(part.description.as_deref(), Some(&b""[..]));
    }

    proptest! {
        #[test]
        fn no_value_panics(value in "[a-b/;=*'\"()\\\\%0-2é ]{0,40}") {
            let _ = note(&mut Part::default(), &Field { name: b"Content-Type", value: value.as_bytes(), span: 0..0 });
            if let Some(media) = media(format!("a/b;{value}").as_bytes()) {
                let _ = param(&media.params, "a");
            }
        }
    }
}
