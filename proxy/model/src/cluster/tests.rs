use std::sync::Arc;

use super::*;

fn labels(pairs: &[(&str, LabelValue)]) -> Vec<Label> {
    let own = pairs.iter();
    own.map(|(name, value)| (Arc::from(*name), value.clone()))
        .collect()
}

fn number(value: f64) -> LabelValue {
    LabelValue::Number(Number::from_f64(value).unwrap())
}

fn named(cluster: &Cluster, endpoint: Vec<Label>, locality: Vec<Label>) -> Option<&str> {
    let found = cluster.transport_of(&Labels { endpoint, locality }).1;
    found.map(|one| &*one.name)
}

/// What the endpoint says comes before what its locality says, whatever the order of the matches.
#[test]
fn the_locality_is_asked_when_the_endpoint_fits_no_match() {
    let one = |name: &str, criteria| TransportSocketMatch {
        name: name.into(),
        criteria,
        transport: UpstreamTransport::Raw,
    };
    let mode = |mode: &str| labels(&[("mode", mode.into())]);
    let mut cluster = Cluster::new("c");
    cluster.transport_socket_matches = vec![one("a", mode("a")), one("b", mode("b"))];
    assert_eq!(named(&cluster, mode("b"), mode("a")), Some("b"));
    assert_eq!(named(&cluster, mode("c"), mode("b")), Some("b"));
    assert_eq!(named(&cluster, vec![], vec![]), None);
    // Nothing is asked for: that fits the endpoint already.
    cluster.transport_socket_matches.push(one("any", vec![]));
    assert_eq!(named(&cluster, mode("c"), mode("a")), Some("any"));
}

/// A text is no number, and a number is no truth; both zeros are one, what is no number is none.
#[test]
fn values_are_equal_to_their_kind_only() {
    assert_eq!(number(0.0), number(-0.0));
    assert_eq!(Number::from_f64(f64::NAN), None);
    let alike = [
        number(1.0),
        "1".into(),
        LabelValue::Bool(true),
        LabelValue::Null,
        LabelValue::List(vec![number(1.0)]),
        LabelValue::Struct(labels(&[("1", number(1.0))])),
    ];
    for (i, one) in alike.iter().enumerate() {
        let equal = alike.iter().filter(|other| *other == one).count();
        assert_eq!(equal, 1, "{i}");
    }
}
