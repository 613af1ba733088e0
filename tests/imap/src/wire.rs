//! One connection to a server, blocking, with what went over it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::Duration;

use crate::response::{Condition, Response};

/// How long a server may be silent: generous, since the machine may be busy. Only failures wait for it.
const PATIENCE: Duration = Duration::from_secs(120);
/// Octets of a response that the transcript shows.
const SHOWN: usize = 2000;

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A connection.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    tags: u32,
    /// What was said, `C:` and `S:`.
    pub transcript: Vec<String>,
    /// A server of its own that ends with it.
    child: Option<Child>,
    lies: Lies,
}

/// Makes something else of octets.
type Lie<T> = Box<dyn FnMut(&[u8]) -> T + Send>;

/// What falsifies responses and commands, where a test wants to know that it is noticed.
#[derive(Default)]
struct Lies {
    answers: Option<Lie<Vec<Vec<u8>>>>,
    commands: Option<Lie<Vec<u8>>>,
    /// What is said next.
    waiting: VecDeque<Vec<u8>>,
}

/// All that answered a command.
#[derive(Debug)]
pub struct Answer {
    /// What came before the tagged line.
    pub untagged: Vec<Response>,
    /// The tagged line.
    pub tagged: Condition,
}

impl Connection {
    /// Over TCP.
    pub fn tcp(stream: TcpStream) -> Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection::over(Box::new(stream), None))
    }

    /// To a server that talks on its standard input and output.
    pub fn child(stream: UnixStream, child: Child) -> Result<Connection> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection::over(Box::new(stream), Some(child)))
    }

    fn over(stream: Box<dyn Stream>, child: Option<Child>) -> Connection {
        Connection { stream: BufReader::new(stream), tags: 0, transcript: Vec::new(), child, lies: Lies::default() }
    }

    fn note(&mut self, who: char, octets: &[u8]) {
        let shown = &octets[..octets.len().min(SHOWN)];
        let more = if octets.len() > SHOWN { format!(" …{} octets", octets.len()) } else { String::new() };
        self.transcript.push(format!("{who}: {}{more}", shown.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'").replace("\\\\", "\\")));
    }

    /// A tag that was not used yet.
    pub fn tag(&mut self) -> String {
        self.tags += 1;
        format!("t{}", self.tags)
    }

    /// Sends octets as they are.
    pub fn send(&mut self, octets: &[u8]) -> Result<()> {
        self.note('C', octets.strip_suffix(b"\r\n").unwrap_or(octets));
        match &mut self.lies.commands {
            Some(lie) => self.stream.get_mut().write_all(&lie(octets)),
            None => self.stream.get_mut().write_all(octets),
        }
    }

    /// From now on each response is what `lie` makes of it.
    pub fn falsify_answers(&mut self, lie: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) {
        self.lies.answers = Some(Box::new(lie));
    }

    /// From now on each thing sent is what `lie` makes of it.
    pub fn falsify_commands(&mut self, lie: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) {
        self.lies.commands = Some(Box::new(lie));
    }

    /// The next response. What can't be read is an error of the kind `InvalidData`.
    pub fn response(&mut self) -> Result<Response> {
        let octets = self.told()?;
        self.note('S', &octets);
        Response::read(&octets).map_err(|why| Error::new(ErrorKind::InvalidData, format!("malformed: {why}")))
    }

    /// One response, falsified or not.
    fn told(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(octets) = self.lies.waiting.pop_front() {
                return Ok(octets);
            }
            let octets = self.octets()?;
            match &mut self.lies.answers {
                Some(lie) => self.lies.waiting.extend(lie(&octets)),
                None => return Ok(octets),
            }
        }
    }

    /// One response as it came, with its literals, without its line's end.
    fn octets(&mut self) -> Result<Vec<u8>> {
        let mut octets = Vec::new();
        loop {
            let from = octets.len();
            self.stream.read_until(b'\n', &mut octets)?;
            if !octets.ends_with(b"\r\n") {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            match announced(&octets[from..octets.len() - 2]) {
                None => {
                    octets.truncate(octets.len() - 2);
                    return Ok(octets);
                }
                Some(size) => {
                    let begin = octets.len();
                    octets.resize(begin + size, 0);
                    self.stream.read_exact(&mut octets[begin..])?;
                }
            }
        }
    }

    /// Runs a command to its end.
    pub fn ask(&mut self, command: &[u8]) -> Result<Answer> {
        self.ask_with(command, None)
    }

    /// Runs a command whose last argument is a literal, sent when the server asks for it.
    pub fn ask_with(&mut self, command: &[u8], literal: Option<&[u8]>) -> Result<Answer> {
        let tag = self.tag();
        let mut line = [tag.as_bytes(), b" ", command].concat();
        if let Some(literal) = literal {
            line.extend_from_slice(format!(" {{{}}}", literal.len()).as_bytes());
        }
        line.extend_from_slice(b"\r\n");
        self.send(&line)?;
        self.until(&tag, literal)
    }

    /// Everything to the tagged line of `tag`; `literal` is what a continuation asks for.
    pub fn until(&mut self, tag: &str, mut literal: Option<&[u8]>) -> Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            match self.response()? {
                Response::Tagged(own, tagged) if own == tag => return Ok(Answer { untagged, tagged }),
                Response::Continue => match literal.take() {
                    Some(literal) => self.send(&[literal, b"\r\n"].concat())?,
                    None => return Err(Error::new(ErrorKind::InvalidData, "a continuation that nobody waits for")),
                },
                Response::Tagged(other, _) => return Err(Error::new(ErrorKind::InvalidData, format!("an answer to {other:?}"))),
                response => untagged.push(response),
            }
        }
    }
}

/// The size of the literal that a line ends with.
fn announced(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&inside[open + 1..]).ok()?.parse().ok()
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Usually it has ended with its input.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
