//! Every bound of the language in one place. A hostile client meets these; an honest one never should.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of a command with its literals (not APPEND's message) before login. A name, a password and a SASL
    /// initial response fit; anybody on the Internet can make us hold this much.
    pub command_before_login: usize,
    /// The same after login. mbsync and Outlook send UID sets of tens of kilobytes (RFC 7162 §4 asks for 8192 at least).
    pub command: usize,
    /// Octets of one line of an AUTHENTICATE exchange: RFC 4954 §4 gives 12288 for SMTP; Kerberos tickets need it.
    pub sasl_line: usize,
    /// Largest `{n+}` before login: what LITERAL- promises (RFC 7888 §5). After it LITERAL+ bounds it by the command alone.
    pub unsynchronised_literal: u64,
    /// Literals in one command: a field list or a search needs a handful, each is parsed anew from the start.
    pub literals: usize,
    /// Octets thrown away after a refusal (a too long line, a refused `{n+}`) before we hang up instead.
    pub swallow_before_login: u64,
    /// The same after login: an over-quota APPEND of a usual message with `{n+}` shall still get its NO.
    pub swallow: u64,
    /// Syntax errors in a row before login, then BYE: a browser or a port scanner speaks here.
    pub errors_before_login: u32,
    /// Syntax errors in a row after login, then BYE.
    pub errors: u32,
    /// From connection to login, whatever is said meanwhile: unknown peers hold a slot no longer.
    pub login_time: Duration,
    /// Waiting for a command after login; RFC 3501 §5.4 demands 30 minutes at least.
    pub idle_time: Duration,
    /// Waiting for DONE: RFC 2177 tells clients to re-issue IDLE before 29 minutes.
    pub idling_time: Duration,
    /// Least octets a second of an APPEND, on top of `idle_time`; slower is no upload but a held slot.
    pub append_rate: u64,
    /// Elements of one parenthesised list or FETCH item list: each costs an allocation.
    pub list: usize,
    /// Nesting of SEARCH parentheses, NOT and OR: each level is a stack frame here and in the evaluation.
    pub depth: usize,
    /// Keys in one SEARCH: each is evaluated for each message.
    pub search_keys: usize,
    /// Ranges in one sequence set; the command limit would allow about twice as many.
    pub ranges: usize,
    /// Flags in one STORE or APPEND: an account has at most 64.
    pub flags: usize,
    /// Depth of a FETCH part number, `1.2.3…`: a message has at most 64 levels.
    pub part_depth: usize,
    /// Octets of a LIST pattern: matching costs pattern × name.
    pub pattern: usize,
    /// ID pairs, RFC 2971 §3.3.
    pub id_pairs: usize,
    /// Octets of an ID field name, RFC 2971 §3.3.
    pub id_field: usize,
    /// Octets of an ID value, RFC 2971 §3.3.
    pub id_value: usize,
}

impl Default for Limits {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Limits {
            command_before_login: 8 * 1024,
            command: 64 * 1024,
            sasl_line: 12_288,
            unsynchronised_literal: 4096,
            literals: 64,
            swallow_before_login: 1024 * 1024,
            swallow: 64 * 1024 * 1024,
            errors_before_login: 3,
            errors: 20,
            login_time: 3 * MINUTE,
            idle_time: 30 * MINUTE,
            idling_time: 30 * MINUTE,
            append_rate: 1024,
            list: 512,
            depth: 32,
            search_keys: 512,
            ranges: 16_384,
            flags: 64,
            part_depth: 64,
            pattern: 1024,
            id_pairs: 30,
            id_field: 30,
            id_value: 1024,
        }
    }
}
