use super::*;

fn written(levels: &Levels, target: &str, level: tracing::Level) -> bool {
    levels.targets().would_enable(target, &level)
}

fn components(text: &str) -> Result<Components, Unknown> {
    Components::parse_option(text)
}

/// The level for all others stays when a single one is set, and the narrower name wins.
#[test]
fn a_single_logger_leaves_the_others_alone() {
    let mut levels = Levels::of(Severity::Warning);
    levels.set(&components("upstream:trace,dns:error").unwrap());
    levels.set(&components("admin:debug").unwrap());
    for (target, least) in [
        ("tandem::process::serve", tracing::Level::WARN),
        ("tandem::admin::http", tracing::Level::DEBUG),
        ("tandem_upstream::outlier", tracing::Level::TRACE),
        ("tandem_upstream::dns::resolver", tracing::Level::ERROR),
        ("tandem_stack::hcm", tracing::Level::WARN),
    ] {
        for level in [
            tracing::Level::TRACE,
            tracing::Level::DEBUG,
            tracing::Level::INFO,
            tracing::Level::WARN,
            tracing::Level::ERROR,
        ] {
            let expected = level <= least;
            assert_eq!(
                written(&levels, target, level),
                expected,
                "{target} {level}"
            );
        }
    }
    let shown: Vec<_> = levels.list().collect();
    assert!(shown.contains(&("dns", Severity::Error)));
    assert!(shown.contains(&("http", Severity::Warning)));
}

/// What a library has to say of a peer's frames is not worth a line each, unless asked for.
#[test]
fn libraries_tell_errors_only_until_asked() {
    let libraries = [
        "h2::proto::ping_pong",
        "hyper::proto",
        "rustls::msgs",
        "log",
    ];
    for all in [Severity::Info, Severity::Warning, Severity::Error] {
        let mut levels = Levels::of(all);
        for target in libraries {
            assert!(!written(&levels, target, tracing::Level::WARN), "{target}");
            assert!(written(&levels, target, tracing::Level::ERROR), "{target}");
        }
        levels.set(&components("http2:warn").unwrap());
        assert!(written(&levels, libraries[0], tracing::Level::WARN));
        assert!(!written(&levels, libraries[1], tracing::Level::WARN));
    }
    let levels = Levels::of(Severity::Debug);
    assert!(written(&levels, libraries[0], tracing::Level::DEBUG));
    assert!(!written(
        &Levels::of(Severity::Off),
        libraries[0],
        tracing::Level::ERROR
    ));
}

/// `main` is this program and not the crates whose names begin alike.
#[test]
fn the_main_logger_is_not_everything() {
    let mut levels = Levels::of(Severity::Error);
    levels.set(&components("main:debug").unwrap());
    assert!(written(&levels, "tandem::child", tracing::Level::DEBUG));
    assert!(!written(&levels, "tandem_stack::hcm", tracing::Level::WARN));
}

#[test]
fn what_there_is_not_is_refused_with_what_there_is() {
    for (text, expected) in [
        (
            "nosuch:debug",
            "unknown logger name 'nosuch', expected one of: admin ",
        ),
        (
            "http:loud",
            "unknown logger level 'loud', expected one of: trace debug info ",
        ),
        ("http", "expected LOGGER:LEVEL, got 'http'"),
        ("http:debug:x", "expected LOGGER:LEVEL, got 'http:debug:x'"),
        (":debug", "expected LOGGER:LEVEL, got ':debug'"),
    ] {
        let said = components(text).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(components(""), Ok(Components::default()));
}

/// Each name is there once, and each place belongs to one name.
#[test]
fn names_and_targets_are_unique() {
    let all: Vec<_> = Logger::all().collect();
    let names: std::collections::BTreeSet<_> = all.iter().map(|logger| logger.name).collect();
    assert_eq!(names.len(), all.len());
    let targets: Vec<_> = all.iter().flat_map(|logger| logger.targets).collect();
    let unique: std::collections::BTreeSet<_> = targets.iter().collect();
    assert_eq!(unique.len(), targets.len());
}
