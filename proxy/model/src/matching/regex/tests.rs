use super::Regex;

/// Each was asked of RE2.
#[test]
fn what_is_repeated_too_often_is_refused() {
    for (pattern, reason) in [
        ("a{1001}", "1001 repetitions: at most 1000 are possible"),
        ("a{2,1001}", "1001 repetitions"),
        ("a{1001,}", "1001 repetitions"),
        ("(?:){1001}", "1001 repetitions"),
        ("(a{0}){1001}", "1001 repetitions"),
        ("(a{100}){11}", "1100 repetitions"),
        ("(?:a{500}|b{3}){3}", "1500 repetitions"),
        ("((a{100})*){11}", "1100 repetitions"),
    ] {
        let error = Regex::new(pattern).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    for pattern in [
        "a{1000}",
        "(a{10}){100}",
        "(a{1,1000}){0,1}",
        "(a{1000}){1}",
        "a{600}b{600}",
        r"a\{1001}",
        "[{1001}]a{5}",
    ] {
        assert!(Regex::new(pattern).is_ok(), "{pattern}");
    }
}
