//! Policy servers — SMTPD_POLICY_README of Postfix: attributes out, an action back.
//!
//! ```text
//! request = *( name "=" value LF ) LF
//! reply   = "action=" action LF *( name "=" value LF ) LF
//! ```

use std::time::Duration;

use config::restrictions::Policy;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::{Checks, Stage, Thing, Verdict};

/// Octets of a reply: an action is a line.
const REPLY: u64 = 8 * 1024;

/// The longest wait for a connection; a server on this machine or next to it answers at once.
const CONNECT: Duration = Duration::from_secs(10);

impl Checks<'_> {
    pub(super) async fn policy(&mut self, policy: &Policy, list: &Thing) -> Verdict {
        let limit = policy.timeout.unwrap_or(self.rules.policy_timeout);
        let asked = tokio::time::timeout(limit, ask(&policy.server, &self.request())).await;
        let told = asked.unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
        let action = told.unwrap_or_else(|why| {
            tracing::warn!("problem talking to server {}: {why}", policy.server);
            policy.default_action.clone().unwrap_or_else(|| self.rules.policy_default.clone())
        });
        self.act(&action, list, &policy.server).await
    }

    fn request(&self) -> String {
        let facts = &self.facts;
        let (name, reverse) = (facts.peer.name.as_deref().unwrap_or("unknown"), facts.peer.reverse.name().unwrap_or("unknown"));
        let recipient = facts.recipient.map(ToString::to_string).unwrap_or_default();
        let count = if matches!(facts.stage, Stage::Data | Stage::End) { facts.recipients } else { 0 };
        let login = facts.identity.map(|identity| identity.login.to_string()).unwrap_or_default();
        let (protocol, cipher, bits) = facts.tls.map_or(("", "", 0), |tls| (tls.protocol.as_str(), tls.cipher.as_str(), usize::from(tls.bits)));
        let attributes: [(&str, &str); 16] = [
            ("request", "smtpd_access_policy"),
            ("protocol_state", facts.stage.word()),
            ("protocol_name", facts.protocol),
            ("client_address", &facts.peer.address.to_string()),
            ("client_name", name),
            ("reverse_client_name", reverse),
            ("helo_name", facts.helo),
            ("sender", &facts.sender.to_string()),
            ("recipient", &recipient),
            ("recipient_count", &count.to_string()),
            ("queue_id", &facts.id),
            ("instance", &facts.id),
            ("size", &facts.size.to_string()),
            ("sasl_method", facts.mechanism.unwrap_or("")),
            ("sasl_username", &login),
            ("encryption_protocol", protocol),
        ];
        let more = [("encryption_cipher", cipher.to_owned()), ("encryption_keysize", bits.to_string())];
        let lines = attributes.iter().map(|(name, value)| line(name, value)).chain(more.iter().map(|(name, value)| line(name, value)));
        lines.collect::<String>() + "\n"
    }
}

/// What a client said never becomes a second attribute.
fn line(name: &str, value: &str) -> String {
    let value: String = value.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("{name}={value}\n")
}

async fn ask(server: &str, request: &str) -> Result<String, String> {
    let late = |_| "it can't be connected to in time".to_owned();
    let plain = |error: std::io::Error| error.to_string();
    match server.split_once(':') {
        Some(("inet", at)) => {
            let at = if at.contains(':') { at.to_owned() } else { format!("127.0.0.1:{at}") };
            let stream = tokio::time::timeout(CONNECT, TcpStream::connect(&at)).await.map_err(late)?.map_err(plain)?;
            talk(stream, request).await
        }
        Some(("unix", path)) => talk(UnixStream::connect(path).await.map_err(plain)?, request).await,
        _ => Err("no server of that kind".to_owned()),
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<String, String> {
    let plain = |error: std::io::Error| error.to_string();
    stream.write_all(request.as_bytes()).await.map_err(plain)?;
    let mut reply = Vec::new();
    let mut limited = stream.take(REPLY);
    while !reply.ends_with(b"\n\n") {
        if limited.read_buf(&mut reply).await.map_err(plain)? == 0 {
            return Err("it ends before its reply does".to_owned());
        }
    }
    action(&reply).ok_or_else(|| "it gives no action".to_owned())
}

fn action(reply: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(reply).ok()?;
    text.lines().find_map(|line| line.strip_prefix("action=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_line() {
        assert_eq!(line("sender", "a\r\nrequest=x\u{0}"), "sender=a??request=x?\n");
    }

    #[test]
    fn an_action_is_found_in_a_reply() {
        assert_eq!(action(b"action=REJECT no\n\n").as_deref(), Some("REJECT no"));
        assert_eq!(action(b"x=y\naction=DUNNO\n\n").as_deref(), Some("DUNNO"));
        assert_eq!((action(b"action\n\n"), action(b"action=\xff\n\n")), (None, None));
    }
}
