//! Envoy's command line: values that it does not have, and what comes after `--`.

use std::process::Command;

use tandem_harness::{Kind, ports};
use tempfile::TempDir;

/// Options after `--mode validate -c FILE`.
const OPTIONS: [&str; 19] = [
    "",
    "--drain-strategy gradual",
    "--drain-strategy immediate",
    "--drain-strategy nonsense",
    "--local-address-ip-version v4",
    "--local-address-ip-version v6",
    "--local-address-ip-version v7",
    "--restart-epoch 1",
    "--restart-epoch nonsense",
    "-- foo",
    "-- --no-such-option",
    "--ignore_rest foo --mode nonsense",
    "foo",
    "--no-such-option",
    "--component-log-level nosuch:debug",
    "--component-log-level http:nonsense",
    "--component-log-level http:warn,router:critical",
    "--component-log-level http",
    "--enable-fine-grain-logging --component-log-level http:debug",
];

/// Each set of options is taken or refused as by Envoy, by the exit code.
#[test]
fn options_are_taken_and_refused_as_by_envoy() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("bootstrap.yaml");
    let port = ports::free().to_string();
    let text = super::BOOTSTRAP.replace("ADMIN", &port);
    let text = text
        .replace("INBOUND_PORT", "1")
        .replace("OUTBOUND_PORT", "2");
    std::fs::write(&config, text).unwrap();
    let code = |kind: Kind, options: &str| {
        let mut command = Command::new(kind.binary());
        command.args((kind == Kind::Tandem).then_some("proxy"));
        command.args(["--mode", "validate", "--log-level", "error", "-c"]);
        command.arg(&config).args(options.split_whitespace());
        command.output().unwrap().status.success()
    };
    for options in OPTIONS {
        let (theirs, ours) = (code(Kind::Envoy, options), code(Kind::Tandem, options));
        assert_eq!(ours, theirs, "{options}");
    }
}
