//! h2spec `--strict`: 146 cases, of which all but the named ones pass.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use tandem_harness::Process;

use super::{start, tool};
use crate::oracle::listener;

/// How many cases h2spec 2.2.1 has. Envoy 1.40 passes 133 of them like this.
const CASES: usize = 146;

/// The cases that fail, by section and sentence, with the reason.
const DIFFERENT: &[(&str, &str)] = &[(
    "3.5. Sends invalid connection preface",
    // h2spec reads `HTTP/1.1 400` as a broken frame. With `codec_type: HTTP2` the connection is
    // reset, which h2spec does not take for closed either.
    "the codec is chosen by the first bytes (AUTO): what is no preface is answered as HTTP/1, as Envoy does, and then closed",
)];

/// Answers take a moment, so that none is on its way already when a client breaks its own stream:
/// whether such an answer overtakes the error is chance, and h2spec takes it for the only reply.
const SLOWLY: &str = r#"
- name: envoy.filters.http.fault
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault
    delay: {fixed_delay: 0.1s, percentage: {numerator: 100}}
"#;

/// The set of failures is the named one, and nothing is skipped.
#[tokio::test]
async fn strict() {
    let routes =
        "- {match: {prefix: /}, direct_response: {status: 200, body: {inline_string: hello}}}";
    let listener = listener("main").filters(SLOWLY).route_list(routes);
    let (proxy, ports, _upstream) = start(listener, None).await;
    let mut command = Command::new(tool("h2spec"));
    command.args(["--strict", "--timeout", "5", "-h", "127.0.0.1", "-p"]);
    let mut suite = Process::spawn("h2spec", command.arg(ports["main"].to_string()));
    let ended = suite.wait(Duration::from_secs(240)).await;
    let output = suite.last_output().await;
    assert!(ended.is_some(), "it did not end:\n{output}");
    drop(proxy);

    let failed = failures(&output);
    let expected: BTreeSet<String> = DIFFERENT.iter().map(|(case, _)| case.to_string()).collect();
    assert_eq!(failed, expected, "{output}");
    let sum = format!(
        "{CASES} tests, {} passed, 0 skipped, {} failed",
        CASES - DIFFERENT.len(),
        DIFFERENT.len()
    );
    assert!(output.contains(&sum), "expected {sum:?} in\n{output}");
}

/// `<section> <sentence>` of each failure in h2spec's closing list.
fn failures(output: &str) -> BTreeSet<String> {
    let list = output.split("Failures:").nth(1).unwrap_or_default();
    let mut section = "";
    let mut found = BTreeSet::new();
    for line in list.lines().map(str::trim) {
        if let Some(case) = line.strip_prefix('×') {
            let sentence = case.split_once(": ").map_or(case, |(_, sentence)| sentence);
            found.insert(format!("{section} {sentence}"));
        } else if line.starts_with(|first: char| first.is_ascii_digit()) {
            section = line.split(' ').next().unwrap_or_default();
        }
    }
    found
}
