use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long what was acknowledged may take to lie in the Maildirs.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    #[arg(long)]
    port: u16,
    #[arg(long, default_value_t = 10)]
    sessions: usize,
    #[arg(long, default_value_t = 1000)]
    count: usize,
    #[arg(long, default_value_t = 4096)]
    size: usize,
    /// user1 to userN
    #[arg(long, default_value_t = 100)]
    recipients: usize,
    #[arg(long, default_value = "example.test")]
    domain: String,
    /// The directory above the Maildirs; each Maildir has new/ and cur/ directly or one below
    #[arg(long)]
    maildirs: Option<PathBuf>,
    /// Printed with the figures
    #[arg(long, default_value = "")]
    label: String,
}

pub async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let options = Arc::new(options);
    let before = options.maildirs.as_deref().map(|directory| messages(directory, options.recipients)).unwrap_or_default();
    let (started, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Vec::new();
    for _ in 0..options.sessions {
        let (options, next) = (options.clone(), next.clone());
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= options.count {
                    return Ok::<_, String>(times);
                }
                let began = Instant::now();
                send(&options, n).await.map_err(|error| format!("message {n}: {error}"))?;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let acknowledged = started.elapsed().as_secs_f64();
    let settled = match &options.maildirs {
        Some(directory) => Some(wait(directory, before + options.count, options.recipients, started).await?),
        None => None,
    };
    times.sort_by(f64::total_cmp);
    let count = options.count as f64;
    println!(
        "{}",
        serde_json::json!({
            "measure": "smtp", "label": options.label, "sessions": options.sessions, "count": options.count, "size": options.size,
            "acknowledged_per_s": (count / acknowledged).round(), "settled_per_s": settled.map(|settled| (count / settled).round()),
            "p50_ms": crate::quantile(&times, 0.5), "p99_ms": crate::quantile(&times, 0.99),
        })
    );
    Ok(())
}

/// One message over a connection of its own.
pub async fn send(options: &Options, n: usize) -> std::io::Result<()> {
    let to = format!("user{}@{}", n % options.recipients + 1, options.domain);
    deliver(&options.host, options.port, &to, &crate::message(&format!("{}-{n}", std::process::id()), options.size)).await
}

/// Sends `message` to `to`; returns once it is acknowledged.
pub async fn deliver(host: &str, port: u16, to: &str, message: &[u8]) -> std::io::Result<()> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    expect(&mut stream, "220").await?;
    say(&mut stream, b"EHLO bench.example.org\r\n", "250").await?;
    say(&mut stream, b"MAIL FROM:<sender@example.org>\r\n", "250").await?;
    say(&mut stream, format!("RCPT TO:<{to}>\r\n").as_bytes(), "250").await?;
    say(&mut stream, b"DATA\r\n", "354").await?;
    say(&mut stream, &[message, b".\r\n"].concat(), "250").await?;
    say(&mut stream, b"QUIT\r\n", "221").await
}

async fn say(stream: &mut BufReader<TcpStream>, line: &[u8], code: &str) -> std::io::Result<()> {
    stream.write_all(line).await?;
    expect(stream, code).await
}

async fn expect(stream: &mut BufReader<TcpStream>, code: &str) -> std::io::Result<()> {
    let mut reply = String::new();
    loop {
        reply.clear();
        stream.read_line(&mut reply).await?;
        if !reply.starts_with(code) {
            return Err(std::io::Error::other(format!("{:?} instead of {code}", reply.trim_end())));
        }
        if reply.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}

/// Seconds from `started` until `count` messages lie there.
async fn wait(directory: &Path, count: usize, recipients: usize, started: Instant) -> std::io::Result<f64> {
    while messages(directory, recipients) < count {
        if started.elapsed() > PATIENCE {
            return Err(std::io::Error::other(format!("only {} of {count} messages in the Maildirs", messages(directory, recipients))));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Files in `new` and `cur` of all Maildirs below. Where they lie is looked up until there are as many as `recipients`: servers
/// make them at the first message.
fn messages(directory: &Path, recipients: usize) -> usize {
    thread_local!(static KNOWN: std::cell::RefCell<HashMap<PathBuf, Vec<PathBuf>>> = std::cell::RefCell::default());
    KNOWN.with_borrow_mut(|known| {
        let found = known.entry(directory.to_owned()).or_default();
        if found.len() < 2 * recipients {
            *found = leaves(directory, 0);
        }
        found.iter().filter_map(|leaf| std::fs::read_dir(leaf).ok()).map(Iterator::count).sum()
    })
}

fn leaves(directory: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_name().to_str() {
            Some("new" | "cur") => found.push(path),
            Some("tmp") => {}
            _ if path.is_dir() && depth < 4 => found.extend(leaves(&path, depth + 1)),
            _ => {}
        }
    }
    found
}
