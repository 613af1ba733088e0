use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bodies::{Bodies, MailLocation, Settings};
use clap::Args;
use mail::{Address, Date, MailboxName};
use store::{AccountId, Deposit, Store};

#[derive(Args)]
pub struct Options {
    /// An empty directory on the disk to measure
    #[arg(long)]
    dir: PathBuf,
    /// postgres://… instead of SQLite below DIR; an empty database
    #[arg(long)]
    database_url: Option<String>,
    /// Committers at once
    #[arg(long, value_delimiter = ',', default_value = "1,10,50,128")]
    committers: Vec<usize>,
    #[arg(long, default_value_t = 5000)]
    count: usize,
    #[arg(long, default_value_t = 4096)]
    size: usize,
    #[arg(long, default_value_t = 100)]
    accounts: usize,
    /// Settle while it runs, as the server does
    #[arg(long)]
    settle: bool,
}

pub async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let url = options.database_url.clone().unwrap_or(format!("sqlite:{}", options.dir.join("posthouse.db").display()));
    let migrations = [db::MIGRATIONS, store::MIGRATIONS].concat();
    std::fs::create_dir_all(&options.dir)?;
    let database = db::Db::open(&url.parse()?, &migrations).await?;
    let location = MailLocation::parse(&format!("maildir:{}/mail/%d/%n", std::path::absolute(&options.dir)?.display()))?;
    let store = Store::new(database.clone(), Bodies::open(Settings { spool: options.dir.join("spool"), location })?);
    store.add_domain("example.test").await?;
    let mut accounts = Vec::new();
    for n in 1..=options.accounts {
        accounts.push(store.add_account(&Address::parse(&format!("user{n}@example.test"))?, "{NONE}", None).await?);
    }
    let accounts = Arc::new(accounts);
    for &committers in &options.committers {
        measure(&options, &store, &accounts, committers).await?;
    }
    database.close().await;
    Ok(())
}

async fn measure(options: &Options, store: &Store, accounts: &Arc<Vec<AccountId>>, committers: usize) -> Result<(), Box<dyn std::error::Error>> {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let settler = options.settle.then(|| {
        tokio::spawn(store::settle::run(store.clone(), async move {
            let _ = stopped.await;
        }))
    });
    let (statements, written, started) = (db::statements(), written(), Instant::now());
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..committers {
        let (store, accounts, next) = (store.clone(), accounts.clone(), next.clone());
        let (count, size) = (options.count, options.size);
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return Ok::<_, String>(times);
                }
                let began = Instant::now();
                deliver(&store, accounts[n % accounts.len()], &crate::message(&format!("{committers}-{n}"), size)).await.map_err(|error| error.to_string())?;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let acknowledged = started.elapsed().as_secs_f64();
    let (asked, kilobytes) = (db::statements() - statements, (self::written() - written) / 1024);
    drop(stop);
    match settler {
        Some(settler) => settler.await?,
        None => store::settle::settle(store).await?,
    }
    let settled = started.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let count = options.count as f64;
    println!(
        "{}",
        serde_json::json!({
            "measure": "deposits", "committers": committers, "count": options.count, "size": options.size, "settling": options.settle,
            "acknowledged_per_s": (count / acknowledged).round(), "settled_per_s": (count / settled).round(),
            "us_per_delivery": (acknowledged * 1e6 / count).round(), "p50_ms": crate::quantile(&times, 0.5), "p99_ms": crate::quantile(&times, 0.99),
            "statements_per_delivery": asked as f64 / count, "kb_written_per_delivery": kilobytes as f64 / count,
        })
    );
    Ok(())
}

async fn deliver(store: &Store, account: AccountId, message: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut draft = store.bodies().draft();
    draft.write(message).await?;
    let body = draft.sealed().await?;
    store.db().commit(Deposit::new(account, MailboxName::inbox(), body.clone(), Date::utc(1_795_486_185))).await?;
    body.committed();
    Ok(())
}

/// Bytes this process has sent to disks.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or_default()
}
