use super::*;
use crate::logging::Severity;

fn args(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

#[test]
fn called_envoy_it_takes_envoys_options() {
    let Command::Proxy(options) = parse(args(
        "/usr/local/bin/envoy -c /etc/envoy.yaml --concurrency 2 -l debug",
    )) else {
        panic!("expected the proxy command")
    };
    assert_eq!(options.concurrency, Some(2));
    assert_eq!(options.log_level, Severity::Debug);
    assert_eq!(
        options.config_path.as_deref(),
        Some(Path::new("/etc/envoy.yaml"))
    );
}

#[test]
fn every_option_of_envoys_help_is_accepted() {
    let line = "envoy -c x --stats-tag a:b --enable-core-dump --socket-mode 600 --socket-path p \
                --disable-extensions e --cpuset-threads --enable-mutex-tracing \
                --disable-hot-restart --mode serve --parent-shutdown-time-s 1 --drain-strategy \
                gradual --drain-time-s 5 --file-flush-min-size-kb 1 --file-flush-interval-msec 5 \
                --service-zone z --service-node n --service-cluster c --restart-epoch 0 \
                --log-path /tmp/l --log-format-escaped --log-format %v \
                --component-log-level upstream:debug --local-address-ip-version v4 \
                --admin-address-path /tmp/a --log-stacktrace-single-entry \
                --skip-deprecated-logs --ignore-unknown-dynamic-fields \
                --reject-unknown-dynamic-fields --allow-unknown-static-fields \
                --allow-unknown-fields --config-yaml {} --base-id-path b \
                --skip-hot-restart-parent-stats --skip-hot-restart-on-no-parent \
                --use-dynamic-base-id --base-id 3 --hot-restart-version";
    for line in [line, "envoy -c x --enable-fine-grain-logging"] {
        for rest in [
            "",
            " -- foo --no-such-option",
            " --ignore_rest foo --mode nonsense",
        ] {
            let line = format!("{line}{rest}");
            assert!(matches!(parse(args(&line)), Command::Proxy(_)), "{line}");
            let ours = line.replacen("envoy", "tandem proxy", 1);
            assert!(matches!(parse(args(&ours)), Command::Proxy(_)), "{ours}");
        }
    }
}

#[test]
fn the_version_is_told_where_envoy_tells_it() {
    for line in ["tandem --version", "tandem proxy --version"] {
        let asked = Tandem::try_parse_from(args(line)).unwrap_err();
        assert_eq!(asked.exit_code(), 0, "{line}");
        let expected = concat!("tandem ", env!("TANDEM_VERSION"), "\n");
        assert_eq!(asked.to_string(), expected, "{line}");
    }
}

/// What Envoy does not take, is not taken: the message says what would be.
#[test]
fn values_that_envoy_does_not_have_are_refused() {
    for (given, expected) in [
        ("--drain-strategy nonsense", "gradual, immediate"),
        ("--local-address-ip-version v7", "v4, v6"),
        ("--mode nonsense", "serve, validate"),
        ("--log-level nonsense", "trace debug info warning"),
        ("--component-log-level nosuch:debug", "admin"),
        (
            "--component-log-level http:nonsense",
            "trace debug info warning",
        ),
        ("--component-log-level http", "LOGGER:LEVEL"),
        (
            "--component-log-level http:debug --enable-fine-grain-logging",
            "cannot be used with",
        ),
        ("foo", "unexpected argument 'foo'"),
    ] {
        let line = format!("tandem proxy -c x {given}");
        let refused = Tandem::try_parse_from(args(&line)).unwrap_err().to_string();
        assert!(refused.contains(expected), "{given}: {refused}");
    }
    let refused = Tandem::try_parse_from(args("tandem run --app-id a --log-level nonsense"));
    assert!(refused.is_err());
}

#[test]
fn an_unknown_option_is_refused() {
    let result = Tandem::try_parse_from(args("tandem proxy -c x --no-such-option"));
    assert!(result.is_err());
}

/// Envoy makes one worker of none; threads without end would take the machine down.
#[test]
fn the_number_of_workers_is_bounded() {
    for command in ["proxy -c x", "run --app-id a"] {
        let parse = |n: &str| {
            let line = format!("tandem {command} --concurrency {n}");
            let parsed = Tandem::try_parse_from(args(&line)).map(|tandem| tandem.command);
            parsed.map(|command| match command {
                Command::Proxy(options) => options.concurrency,
                Command::Run(options) => options.concurrency,
                _ => panic!("expected proxy or run"),
            })
        };
        assert_eq!(parse("0").unwrap(), Some(1));
        assert_eq!(parse("1024").unwrap(), Some(1024));
        let refused = parse("99999999").unwrap_err().to_string();
        assert!(refused.contains("--concurrency"), "{refused}");
        assert!(refused.contains("expected a number from 0 to 1024"));
    }
}

/// It stands in keys between separators, and a wrong one is refused by the option's name.
#[test]
fn the_applications_id_is_a_name() {
    for (id, expected) in [
        ("", "expected a name, got nothing"),
        ("a||b", "without '||'"),
    ] {
        let line = ["tandem", "run", "--app-id", id];
        let refused = Tandem::try_parse_from(line).unwrap_err().to_string();
        assert!(
            refused.contains("--app-id") && refused.contains(expected),
            "{refused}"
        );
    }
}

#[test]
fn a_command_after_the_dashes_is_the_application() {
    let Command::Run(options) = parse(args(
        "tandem run --app-id orders --app-port 8080 -- python3 -m app --port 8080",
    )) else {
        panic!("expected the run command")
    };
    assert_eq!(options.command, ["python3", "-m", "app", "--port", "8080"]);
}

#[test]
fn the_definition_is_consistent() {
    Tandem::command().debug_assert();
}

/// Options of `tandem run` that a runtime filter of the user's own would overrule are named.
#[test]
fn options_that_contradict_a_runtime_filter_are_named() {
    use tandem_model::filter::runtime::{Api, App, AppProtocol, Runtime};
    let filter = Runtime {
        app: App {
            id: "shop".into(),
            host: "127.0.0.1".into(),
            port: Some(8080),
            protocol: AppProtocol::Grpc,
            callback_port: None,
            callback_host: "127.0.0.1".into(),
        },
        apis: vec![Api::LayottoGrpc],
        resources_paths: vec!["components".into()],
        data_dir: Some("data".into()),
        outbound_listener: None,
        default_invoke_port: 80,
    };
    let cases: [(&str, &[&str]); 5] = [
        ("--app-id shop", &[]),
        ("--app-id other", &["--app-id"]),
        (
            "--app-id shop --app-port 8080 --app-protocol grpc --app-channel-address 127.0.0.1 \
             --resources-path components --data-dir data",
            &[],
        ),
        (
            "--app-id shop --app-port 9090 --app-protocol h2c --app-channel-address ::1 \
             --app-callback-port 1 --resources-path others --data-dir mine",
            &[
                "--app-port",
                "--app-channel-address",
                "--app-protocol",
                "--app-callback-port",
                "--resources-path",
                "--data-dir",
            ],
        ),
        (
            "--app-id shop --runtime-grpc-port 34904",
            &["--runtime-grpc-port"],
        ),
    ];
    for (line, expected) in cases {
        let Command::Run(options) = parse(args(&format!("tandem run {line}"))) else {
            panic!("expected the run command")
        };
        assert_eq!(options.contradictions(&[&filter]), expected, "{line}");
    }
}
