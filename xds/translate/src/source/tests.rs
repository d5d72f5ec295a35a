use super::{Source, Value};
use crate::error::{Path, Position, Segment};

fn yaml_value(text: &str) -> Value<'static> {
    let source = Source::yaml("test", format!("v: {text}"));
    let Value::Map(mut entries) = source.parse().unwrap().value else {
        panic!("a map")
    };
    match entries.remove(0).node.value {
        Value::Number(n) => Value::Number(n.into_owned().into()),
        Value::String(s) => Value::String(s.into_owned().into()),
        Value::Bool(b) => Value::Bool(b),
        _ => Value::Null,
    }
}

/// Each line was read by Envoy 1.40 as `node.metadata`, and shown by its `/config_dump`.
#[test]
fn plain_scalars_mean_what_they_mean_to_envoy() {
    let number = |text: &'static str| Value::Number(text.into());
    let string = |text: &'static str| Value::String(text.into());
    for (text, expected) in [
        ("no", Value::Bool(false)),
        ("\"no\"", string("no")),
        ("!!str no", Value::Bool(false)),
        ("!!str 5", number("5")),
        ("!!int \"5\"", number("5")),
        ("! no", string("no")),
        ("!foo no", Value::Bool(false)),
        ("1.5", string("1.5")),
        ("010", number("8")),
        ("0x1F", number("31")),
        ("0o17", string("0o17")),
        ("08", string("08")),
        ("+5", number("5")),
        ("-0", number("0")),
        ("-0x10", number("-16")),
        ("~", Value::Null),
        ("", Value::Null),
        ("Null", Value::Null),
        ("nULL", string("nULL")),
        ("\"~\"", string("~")),
        ("!!null x", string("x")),
        ("!!str", string("")),
        ("yES", string("yES")),
        ("YES", Value::Bool(true)),
        ("N", Value::Bool(false)),
        ("On", Value::Bool(true)),
        ("oFF", string("oFF")),
        ("99999999999", string("99999999999")),
        ("2147483648", string("2147483648")),
        ("-2147483648", number("-2147483648")),
        ("1e3", string("1e3")),
        (".inf", string(".inf")),
        ("1_000", string("1_000")),
        ("2001-01-01", string("2001-01-01")),
        ("18446744073709551615", string("18446744073709551615")),
    ] {
        assert_eq!(yaml_value(text), expected, "{text}");
    }
}

#[test]
fn anchors_are_repeated_and_ignored_keys_left_out() {
    let source = Source::yaml("t", "!ignore x: &a {q: 1}\ny: *a\n");
    let Value::Map(entries) = source.parse().unwrap().value else {
        panic!("a map")
    };
    assert_eq!(entries.len(), 1);
    assert!(matches!(&entries[0].node.value, Value::Map(inner) if inner[0].key == "q"));
}

#[test]
fn broken_texts_are_refused_with_their_place() {
    for (name, text, expected) in [
        ("a.yaml", "a: 1\nb: [1\n", "a.yaml:"),
        (
            "a.yaml",
            "a: 1\na: 2\n",
            "the key \"a\" is given twice (a.yaml:2:1)",
        ),
        (
            "a.yaml",
            "a: 1\n---\nb: 1\n",
            "expected a single YAML document",
        ),
        (
            "a.yaml",
            "a: &x {b: *x}\n",
            "expected an alias to an earlier, finished node",
        ),
        (
            "a.yaml",
            "- a\n",
            "expected a mapping of field names (a.yaml:1:1)",
        ),
        ("a.yaml", "", "expected a mapping of field names"),
        (
            "a.json",
            "{\"a\": 1 \"b\": 2}",
            "expected ',' or '}' (a.json:1:9)",
        ),
        ("a.json", "{\"a\": 01}", "expected a number, got 01"),
        (
            "a.json",
            "{\"a\": 1} x",
            "expected nothing after the JSON value",
        ),
        (
            "a.json",
            "{\"a\": 1,\n \"a\": 2}",
            "the key \"a\" is given twice (a.json:2:2)",
        ),
        ("a.json", "{\"a\": nul}", "expected a JSON value"),
        ("a", "a: 1", "expected a JSON value (a:1:1)"),
    ] {
        let error = Source::file(name, text).parse().unwrap_err().to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn aliases_cannot_blow_a_text_up() {
    let mut text = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
    for i in 1..12 {
        let before = format!("*a{}, ", i - 1).repeat(10);
        text.push_str(&format!("a{i}: &a{i} [{before}]\n"));
    }
    let error = Source::yaml("t", text).parse().unwrap_err().to_string();
    assert!(
        error.contains("expected aliases to repeat at most"),
        "{error}"
    );
}

#[test]
fn deep_nesting_is_refused() {
    for name in ["a.yaml", "a.json"] {
        let text = format!("{{\"a\": {}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
        let error = Source::file(name, text).parse().unwrap_err().to_string();
        assert!(
            error.contains("nested levels") || error.contains("recursion"),
            "{error}"
        );
    }
}

#[test]
fn json_is_read_as_leniently_as_envoy_reads_it() {
    let source = Source::file("a.json", "{'a': 'it\\u00e9\\n', b: [1, -2.5e3,], }");
    let Value::Map(entries) = source.parse().unwrap().value else {
        panic!("a map")
    };
    assert_eq!(entries[0].node.value, Value::String("ité\n".into()));
    let Value::List(items) = &entries[1].node.value else {
        panic!("a list")
    };
    assert_eq!(items[1].value, Value::Number("-2.5e3".into()));
}

#[test]
fn a_path_is_found_in_merged_texts() {
    let sources = [
        Source::yaml("one", "x:\n  items: [{n: 1}]\n"),
        Source::yaml("two", "x:\n  items:\n  - {n: 1}\n  - {theName: 2}\n"),
    ];
    let nodes: Vec<_> = sources.iter().map(|s| s.parse().unwrap()).collect();
    let documents: Vec<_> = sources.iter().zip(&nodes).collect();
    let path = Path(vec![
        Segment::Field("x".into()),
        Segment::Field("items".into()),
        Segment::Index(2),
        Segment::Field("the_name".into()),
    ]);
    let (source, position) = super::locate(&documents, &path).unwrap();
    assert_eq!(
        (source.name(), position),
        ("two", Position { line: 4, column: 6 })
    );
}

/// Columns count characters, however long the line and however many places of it were named.
#[test]
fn places_in_long_lines_are_right() {
    let text = "{\"ä\": [1, 2], \"b\": {\"ö\": true},\n \"c\": [\"ü\", nothing]}";
    let error = Source::file("a.json", text).parse().unwrap_err();
    let (_, place) = error.0[0].place.clone().unwrap();
    assert_eq!((place.line, place.column), (2, 13));
    let text = "{\"ä\": [1, 2], \"b\": nothing}";
    let error = Source::file("a.json", text).parse().unwrap_err();
    let (_, place) = error.0[0].place.clone().unwrap();
    assert_eq!((place.line, place.column), (1, 20));
}
