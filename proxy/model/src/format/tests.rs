use super::*;

fn one(text: &str) -> (Operator, Option<usize>) {
    match Format::parse(text).unwrap().segments.as_slice() {
        [Segment::Operator(operator, length)] => (operator.clone(), *length),
        other => panic!("expected one operator, got {other:?}"),
    }
}

/// The default line is a valid format.
#[test]
fn default_log_parses() {
    assert!(Format::parse(Format::DEFAULT_LOG).is_ok());
}

#[test]
fn header_operators_take_alternatives_and_lengths() {
    let (operator, length) = one("%REQ(X-Envoy-Original-Path?:PATH):10%");
    assert_eq!(length, Some(10));
    assert_eq!(
        operator,
        Operator::Req(HeaderArg {
            main: HeaderKey::Name(http::HeaderName::from_static("x-envoy-original-path")),
            alternative: Some(HeaderKey::Path),
        })
    );
}

#[test]
fn arguments_may_hold_percent_signs() {
    let (operator, _) = one("%START_TIME(%s.%3f)%");
    let pieces = vec![
        TimePiece::Epoch,
        TimePiece::Literal(".".into()),
        TimePiece::Fraction(3),
    ];
    assert_eq!(operator, Operator::StartTime(Some(TimeFormat { pieces })));
}

#[test]
fn a_doubled_percent_sign_is_text() {
    assert_eq!(
        Format::parse("100%% sure").unwrap().as_literal(),
        Some("100% sure")
    );
}

#[test]
fn unknown_operators_are_named() {
    let error = Format::parse("a %NO_SUCH(x)%").unwrap_err();
    assert_eq!(error.to_string(), "operator '%NO_SUCH%' is not supported");
}

#[test]
fn broken_operators_are_refused() {
    for text in [
        "%",
        "%REQ(x%",
        "%lower%",
        "a % b",
        "%REQ(x):y%",
        "%REQ()%",
        "%PROTOCOL(x)%",
        "%REQ(a?b?c)%",
    ] {
        assert!(Format::parse(text).is_err(), "{text}");
    }
}

#[test]
fn json_keys_are_sorted_and_numbers_plain() {
    let source = [
        ("z".to_owned(), JsonSource::Number(7.0)),
        ("a".to_owned(), JsonSource::String("%PROTOCOL%".into())),
    ];
    let format = JsonFormat::parse(&source, false).unwrap();
    assert_eq!(&*format.root[0].0, "a");
    assert_eq!(format.root[1].1, JsonValue::Literal("7".into()));
}

/// The list that the documentation and the comparisons with Envoy are made from.
#[test]
fn each_operator_of_the_list_is_accepted() {
    for Accepted { name, argument } in accepted() {
        let text = match argument {
            "" => format!("%{name}%"),
            argument => format!("%{name}({argument})%"),
        };
        one(&text);
    }
}

#[test]
fn state_that_filters_of_envoy_write_is_refused() {
    assert!(Format::parse("%DYNAMIC_METADATA(mine:key)%").is_ok());
    let error = Format::parse("%DYNAMIC_METADATA(envoy.filters.http.rbac:x)%").unwrap_err();
    assert_eq!(
        error.to_string(),
        "operator '%DYNAMIC_METADATA%': expected a name that Envoy's own filters do not write, \
         got 'envoy.filters.http.rbac:x'"
    );
}
