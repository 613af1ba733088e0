use std::time::Instant;

use clap::Args;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    #[arg(long)]
    smtp: u16,
    /// A port where a password may be sent without TLS (plaintext_auth = loopback)
    #[arg(long)]
    imap: u16,
    #[arg(long)]
    user: String,
    #[arg(long)]
    password: String,
    #[arg(long, default_value_t = 200)]
    count: usize,
    #[arg(long, default_value_t = 4096)]
    size: usize,
    #[arg(long, default_value = "")]
    label: String,
}

pub async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = BufReader::new(TcpStream::connect((options.host.as_str(), options.imap)).await?);
    until(&mut stream, "* OK").await?;
    for (line, answer) in [
        (format!("a LOGIN {} {}\r\n", options.user, options.password), "a OK"),
        ("b SELECT INBOX\r\n".into(), "b OK"),
        ("c IDLE\r\n".into(), "+"),
    ] {
        stream.write_all(line.as_bytes()).await?;
        until(&mut stream, answer).await?;
    }
    let (seen, mut arrivals) = mpsc::unbounded_channel();
    let reader = tokio::spawn(async move {
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
            if line.trim_end().ends_with(" EXISTS") && seen.send(Instant::now()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let mut times = Vec::new();
    for n in 0..options.count {
        let message = crate::message(&format!("idle-{}-{n}", std::process::id()), options.size);
        crate::smtp::deliver(&options.host, options.smtp, &options.user, &message).await?;
        let acknowledged = Instant::now();
        let arrived = arrivals.recv().await.ok_or("the IMAP connection ended")?;
        // Told before the sender was: 0.
        times.push(arrived.saturating_duration_since(acknowledged).as_secs_f64() * 1e3);
    }
    reader.abort();
    times.sort_by(f64::total_cmp);
    println!(
        "{}",
        serde_json::json!({"measure": "idle", "label": options.label, "count": options.count,
            "p50_ms": crate::quantile(&times, 0.5), "p99_ms": crate::quantile(&times, 0.99)})
    );
    Ok(())
}

async fn until(stream: &mut BufReader<TcpStream>, answer: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(format!("the connection ended before {answer:?}").into());
        }
        if line.starts_with(answer) {
            return Ok(());
        }
    }
}
