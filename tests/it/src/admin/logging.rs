//! `/logging`: a closed list of levels and of names.

use std::collections::BTreeMap;

use tandem_harness::Kind;

use super::{Side, text};

/// Queries, one after the other: what is refused leaves everything as it was.
const QUERIES: [&str; 25] = [
    "",
    "?level=warning",
    "?level=nonsense",
    "?level=warn",
    "?level=TRACE",
    "?level=",
    "?router=trace",
    "?http=nonsense",
    "?http=",
    "?http",
    "?nosuch=debug",
    "?lua=debug",
    "?paths=dns:debug,upstream:error",
    "?paths=nosuch:debug",
    "?paths=http:debug,nosuch:debug",
    "?paths=http:nonsense",
    "?paths=http",
    "?paths=http:debug:more",
    "?paths=",
    "?group=http:debug",
    "?level=debug&http=trace",
    "?http=debug&router=debug",
    "?level=critical",
    "?admin=info",
    "?level=off",
];

/// The level of each logger that both have.
fn levels(page: &str) -> BTreeMap<&str, &str> {
    let (_, list) = page.split_once("active loggers:\n").unwrap();
    let lines = list.lines().filter_map(|line| line.trim().split_once(": "));
    lines.collect()
}

/// After each query the status is Envoy's, and so is the level of each logger that has a meaning.
#[tokio::test]
async fn levels_are_set_and_refused_as_in_envoy() {
    let envoy = Side::start(Kind::Envoy, &[]).await;
    let tandem = Side::start(Kind::Tandem, &["--log-level", "error"]).await;
    for query in QUERIES {
        let path = format!("/logging{query}");
        let theirs = envoy.ask("POST", &path).await;
        let ours = tandem.ask("POST", &path).await;
        let (their_text, our_text) = (text(&theirs), text(&ours));
        assert_eq!(
            ours.status, theirs.status,
            "{query}\n{their_text}\n{our_text}"
        );
        let (their_levels, our_levels) = (levels(&their_text), levels(&our_text));
        let mut common = 0;
        for (name, level) in &our_levels {
            if let Some(expected) = their_levels.get(name) {
                assert_eq!(level, expected, "{query}: {name}");
                common += 1;
            }
        }
        assert!(common > 15, "{our_text}");
        if ours.status == 400 {
            assert!(our_text.contains("usage: /logging?level=<level>"));
            assert!(our_text.contains("levels: trace debug info warning error critical off"));
        }
    }
}

/// What is logged follows: the level of one logger does not change that of the others, and a
/// name that means nothing here is told.
#[tokio::test]
async fn a_single_level_changes_what_is_logged_there_only() {
    let tandem = Side::start(Kind::Tandem, &["--log-level", "error"]).await;
    for query in [
        "?lua=debug",
        "?config=trace",
        "?nosuch=trace",
        "?level=nonsense",
    ] {
        tandem.ask("POST", &format!("/logging{query}")).await;
    }
    tandem.ask("POST", "/drain_listeners").await;
    assert_eq!(tandem.proxy.process.output(), "");
    tandem.ask("POST", "/logging?main=info").await;
    tandem.ask("POST", "/logging?lua=debug").await;
    let told = "nothing here logs under that name logger=\"lua\"";
    tandem.proxy.process.wait_for_output(told).await;
}
