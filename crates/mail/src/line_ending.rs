//! Line ends: CRLF everywhere in the program, LF on the disk.
//!
//! The *canonical* form of a message ends every line in CRLF; sizes, offsets and structure are those of this form. A Maildir
//! holds LF, as every program that reads one expects, except for a message that holds CR CR LF: with LF its second CR would
//! be lost, so it lies there as it is. Reading adds a CR to each LF that has none, and so gives back the canonical form of both.
//!
//! ```text
//!              Canonical                 ToDisk { verbatim = has_cr_cr_lf }         FromDisk
//!  any message ─────────► canonical ────────────────────────────────────► on disk ─────────► the same canonical
//! ```
//! A CR that is not before an LF is left alone everywhere (SMTP refuses it at the door).

/// Makes the canonical form, at any cut.
#[derive(Clone, Debug, Default)]
pub struct Canonical {
    /// The last octet was a CR …
    cr: bool,
    /// … and the one before it too.
    cr_cr: bool,
    has_cr_cr_lf: bool,
    length: u64,
    lines: u64,
}

impl Canonical {
    pub fn new() -> Canonical {
        Canonical::default()
    }

    /// Appends the canonical form of `chunk` to `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        let mut rest = chunk;
        while let Some(lf) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(lf);
            self.text(line, out);
            self.has_cr_cr_lf |= self.cr_cr;
            out.extend_from_slice(if self.cr { b"\n" } else { b"\r\n" });
            (self.cr, self.cr_cr) = (false, false);
            self.lines += 1;
            rest = &after[1..];
        }
        self.text(rest, out);
        self.length += (out.len() - before) as u64;
    }

    /// Whether a CR CR LF has come by: what [`ToDisk::new`] must know before it begins.
    pub fn has_cr_cr_lf(&self) -> bool {
        self.has_cr_cr_lf
    }

    /// Octets of the canonical form so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Line ends so far: by so many octets is the form with LF shorter.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// A run of octets without LF.
    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match text {
            [] => return,
            [only] => (self.cr, self.cr_cr) = (*only == b'\r', self.cr && *only == b'\r'),
            [.., before, last] => (self.cr, self.cr_cr) = (*last == b'\r', *last == b'\r' && *before == b'\r'),
        }
        out.extend_from_slice(text);
    }
}

/// From the canonical form to what lies in a Maildir, at any cut.
#[derive(Clone, Debug)]
pub struct ToDisk {
    verbatim: bool,
    /// A CR at the end of the last chunk, of which it is not known yet whether an LF follows.
    cr: bool,
}

impl ToDisk {
    /// `verbatim` is [`Canonical::has_cr_cr_lf`] of the whole message.
    pub fn new(verbatim: bool) -> ToDisk {
        ToDisk { verbatim, cr: false }
    }

    /// Appends to `out` what `chunk` is on disk; a CR at its end waits for the next.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        if self.verbatim {
            return out.extend_from_slice(chunk);
        }
        let mut rest = chunk;
        while !rest.is_empty() {
            if self.cr && rest[0] != b'\n' {
                out.push(b'\r');
            }
            self.cr = false;
            let end = memchr::memchr(b'\r', rest).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            out.extend_from_slice(text);
            self.cr = !after.is_empty();
            rest = after.get(1..).unwrap_or_default();
        }
    }

    /// The message is over: a CR that still waits is written.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.cr {
            out.push(b'\r');
        }
    }
}

/// From what lies in a Maildir to the canonical form, at any cut; also for files other programs put there.
#[derive(Clone, Debug, Default)]
pub struct FromDisk(Canonical);

impl FromDisk {
    pub fn new() -> FromDisk {
        FromDisk::default()
    }

    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        self.0.push(chunk, out);
    }

    /// Octets given out so far.
    pub fn length(&self) -> u64 {
        self.0.length()
    }
}

/// The canonical form of a message that is in memory.
pub fn canonical(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + message.len() / 32);
    Canonical::new().push(message, &mut out);
    out
}

/// What a canonical message in memory is on disk.
pub fn to_disk(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    let mut to = ToDisk::new(memchr::memmem::find(message, b"\r\r\n").is_some());
    to.push(message, &mut out);
    to.finish(&mut out);
    out
}

/// The canonical form of what lies on disk.
pub fn from_disk(file: &[u8]) -> Vec<u8> {
    canonical(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        for (given, kept, disk) in [
            ("", "", ""),
            ("a\nb\n", "a\r\nb\r\n", "a\nb\n"),
            ("a\r\nb", "a\r\nb", "a\nb"),
            ("\n\r\n\n", "\r\n\r\n\r\n", "\n\n\n"),
            ("a\r\r\nb\r\n", "a\r\r\nb\r\n", "a\r\r\nb\r\n"),
            ("a\rb\n\r", "a\rb\r\n\r", "a\rb\n\r"),
            ("\r\r", "\r\r", "\r\r"),
        ] {
            assert_eq!(canonical(given.as_bytes()), kept.as_bytes(), "{given:?}");
            assert_eq!(to_disk(kept.as_bytes()), disk.as_bytes(), "{given:?}");
            assert_eq!(from_disk(disk.as_bytes()), kept.as_bytes(), "{given:?}");
        }
    }

    fn lines() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'a')], 0..24)
    }

    proptest! {
        #[test]
        fn disk_and_back(message in lines()) {
            let message = canonical(&message);
            prop_assert_eq!(from_disk(&to_disk(&message)), message.clone());
            prop_assert_eq!(canonical(&message), message);
        }

        #[test]
        fn cut_anywhere(message in lines(), cuts in proptest::collection::vec(1usize..5, 24)) {
            let (mut canonical_out, mut disk) = (Vec::new(), Vec::new());
            let mut maker = Canonical::new();
            let whole = canonical(&message);
            let mut to = ToDisk::new(memchr::memmem::find(&whole, b"\r\r\n").is_some());
            let (mut left, mut left_whole) = (&message[..], &whole[..]);
            for cut in cuts {
                let (head, tail) = left.split_at(cut.min(left.len()));
                maker.push(head, &mut canonical_out);
                left = tail;
                let (head, tail) = left_whole.split_at(cut.min(left_whole.len()));
                to.push(head, &mut disk);
                left_whole = tail;
            }
            maker.push(left, &mut canonical_out);
            to.push(left_whole, &mut disk);
            to.finish(&mut disk);
            prop_assert_eq!(maker.has_cr_cr_lf(), memchr::memmem::find(&whole, b"\r\r\n").is_some());
            prop_assert_eq!(maker.length(), whole.len() as u64);
            prop_assert_eq!(maker.lines(), memchr::memchr_iter(b'\n', &whole).count() as u64);
            prop_assert_eq!(&canonical_out, &whole);
            prop_assert_eq!(disk, to_disk(&whole));
        }
    }
}
