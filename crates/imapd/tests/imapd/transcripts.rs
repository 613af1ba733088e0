//! Conversations, readable beside the RFCs: `tests/transcripts/*.txt`, each on every engine.

use imapd::Settings;

use super::transcript;
use super::world::{on_every_engine, settings};

async fn play(name: &'static str, text: &'static str) {
    let mut settings: Settings = settings();
    settings.starttls = text.lines().any(|line| line == "@starttls");
    on_every_engine(settings, |world| async move { transcript::run(&world, name, text).await }).await;
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                play(stringify!($name), include_str!(concat!("../transcripts/", stringify!($name), ".txt"))).await;
            }
        )*

        #[test]
        fn every_file_is_played() {
            let played = [$(stringify!($name)),*];
            let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
            for file in std::fs::read_dir(directory).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                assert!(played.contains(&name.trim_end_matches(".txt")), "{name} is not in the list");
            }
        }
    };
}

transcripts! {
    greeting_and_login
    idle_tells_what_another_did
    select_and_fetch
}
