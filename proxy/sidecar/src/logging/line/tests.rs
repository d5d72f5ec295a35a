use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tandem_model::log_pattern::{JsonPart, LogFormat, LogPattern};
use tracing_subscriber::prelude::*;

use super::Lines;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What one warning of two lines becomes.
fn warning(format: LogFormat) -> String {
    let written = Written::default();
    let to = written.clone();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || to.clone())
        .with_ansi(false)
        .event_format(Lines(format));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
        tracing::warn!(target: "tandem_upstream::pool", port = 80, "a \"b\"\nc");
    });
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn text(pattern: &str) -> String {
    warning(LogFormat::Text(LogPattern::parse(pattern).unwrap()))
}

#[test]
fn flags_are_filled_in() {
    assert_eq!(
        text("%l|%L|%n|%v"),
        "warning|W|upstream|a \"b\"\nc port=80\n"
    );
    assert_eq!(text("%_ %^%$%*100%%"), "a \"b\"\\nc port=80 100%\n");
    assert_eq!(text("%s %P"), format!("tests.rs {}\n", std::process::id()));
    let place = text("%g:%#");
    let (file, line) = place.trim_end().rsplit_once(':').unwrap();
    assert!(file.ends_with("logging/line/tests.rs") && line.parse::<u32>().is_ok());
    assert!(text("%t").trim_end().parse::<u32>().is_ok());
}

/// The form that pilot-agent asks for.
#[test]
fn the_time_is_utc_with_its_fraction() {
    let time = text("%Y-%m-%dT%T.%fZ");
    assert_eq!(time.len(), "2026-01-31T23:59:59.123456Z\n".len(), "{time}");
    assert!(time.starts_with("20") && time.ends_with("Z\n"));
    assert_eq!(text("%e").len(), 4);
}

#[test]
fn widths_fill_and_cut() {
    assert_eq!(
        text("[%9l][%-9l][%=9l][%4!l]"),
        "[  warning][warning  ][ warning ][warn]\n"
    );
}

/// Whatever the message is, the line is JSON.
#[test]
fn lines_can_be_json() {
    let part = |text| JsonPart::Text(LogPattern::parse(text).unwrap());
    let inner = vec![(Arc::from("from"), part("%n"))];
    let line = warning(LogFormat::Json(vec![
        (Arc::from("level"), part("%l")),
        (Arc::from("message"), part("%j")),
        (Arc::from("n"), JsonPart::Literal("1".into())),
        (Arc::from("who"), JsonPart::Object(inner)),
    ]));
    let json: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["message"], "a \"b\"\nc port=80");
    assert_eq!(json["who"]["from"], "upstream");
    assert_eq!((&json["level"], &json["n"]), (&"warning".into(), &1.into()));
}
