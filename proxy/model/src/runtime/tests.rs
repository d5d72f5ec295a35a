use super::*;
use crate::FractionalPercent;

fn layer(name: &str, source: Source, values: &[(&str, &str)]) -> Layer {
    let values = values.iter();
    Layer {
        name: name.into(),
        source,
        values: values
            .map(|(name, text)| (Arc::from(*name), Value::new(text)))
            .collect(),
    }
}

#[test]
fn the_strongest_layer_that_has_a_value_wins() {
    let rtds = Subscribed {
        key: ResourceKey {
            origin: crate::config_source::Origin::Ads,
            name: "rtds".into(),
        },
        initial_fetch_timeout: None,
    };
    let mut layers = Layers(vec![
        layer("a", Source::Static, &[("x", "1"), ("y", "1")]),
        layer("b", Source::Discovered(rtds.clone()), &[("y", "2")]),
        layer("c", Source::Admin, &[]),
    ]);
    let text = |layers: &Layers, name: &str| {
        let merged = layers.merged();
        merged.get(name).map(|value| value.text().to_owned())
    };
    assert_eq!(text(&layers, "x").as_deref(), Some("1"));
    assert_eq!(text(&layers, "y").as_deref(), Some("2"));
    let admin = layers.admin().expect("an admin layer");
    admin.values.insert("y".into(), Value::new("3"));
    assert_eq!(text(&layers, "y").as_deref(), Some("3"));
    assert_eq!(layers.discovered(&rtds.key).count(), 1);
    let mut other = rtds.key;
    other.name = "other".into();
    assert_eq!(layers.discovered(&other).count(), 0);
}

#[test]
fn values_are_read_as_what_is_asked_for() {
    let share = |numerator, denominator| {
        Some(FractionalPercent {
            numerator,
            denominator,
        })
    };
    for (text, integer, wanted) in [
        ("5", Some(5), share(5, 100)),
        ("5.0", Some(5), share(5, 100)),
        ("0.5", None, None),
        ("-1", None, None),
        ("true", None, None),
        ("{numerator: 5}", None, share(5, 100)),
        (
            "{\"numerator\":7,\"denominator\":\"MILLION\"}",
            None,
            share(7, 1_000_000),
        ),
        ("{numerator: x}", None, None),
        ("{other: 1}", None, None),
    ] {
        let value = Value::new(text);
        assert_eq!(value.as_integer(), integer, "{text}");
        assert_eq!(value.as_share(), wanted, "{text}");
    }
    let million = FractionalPercent {
        numerator: 3,
        denominator: 1_000_000,
    };
    assert_eq!(Value::share(million).as_share(), Some(million));
    assert_eq!(
        Value::new(Value::share(million).text()).as_share(),
        Some(million)
    );
}

/// One test, since there is one set of values in a process.
#[test]
fn keys_see_what_is_published_before_and_after_they_are_made() {
    let early = RuntimeKey::named("test.early");
    assert_eq!((early.integer(), early.share()), (None, None));
    let fraction = RuntimeFraction {
        default: FractionalPercent::NONE,
        key: Some(early.clone()),
    };
    let values = layer(
        "",
        Source::Static,
        &[("test.early", "30"), ("test.late", "4")],
    )
    .values;
    publish(values);
    let late = RuntimeKey::named("test.late");
    assert_eq!((early.integer(), late.integer()), (Some(30), Some(4)));
    assert_eq!(fraction.now().numerator, 30);
    publish(Values::new());
    assert_eq!((early.integer(), late.integer()), (None, None));
    assert_eq!(fraction.now(), FractionalPercent::NONE);
    assert_eq!(early, RuntimeKey::named("test.early"));
    assert_ne!(early, late);
}
