use super::*;
use crate::Kind;

fn prefix(family: Family, strategy: Option<&str>, dialect: Dialect) -> Result<KeyPrefix, Error> {
    let mut declaration = Declaration::embedded("orders", "state.embedded");
    declaration.dialect = dialect;
    let context = Context {
        app_id: "shop".into(),
        ..Context::default()
    };
    KeyPrefix::new(family, strategy, &declaration, &context)
}

fn stored(family: Family, strategy: Option<&str>, dialect: Dialect) -> String {
    prefix(family, strategy, dialect)
        .unwrap()
        .stored("k")
        .unwrap()
        .into_owned()
}

#[test]
fn state_keys_follow_the_strategy() {
    let state = |strategy| stored(Family::State, Some(strategy), Dialect::Dapr);
    assert_eq!(state("none"), "k");
    assert_eq!(state("appid"), "shop||k");
    assert_eq!(state("name"), "orders||k");
    assert_eq!(state("namespace"), "shop||k");
    assert_eq!(state("Other"), "other||k");
}

/// Each dialect keeps the default of the peer that reads the same file.
#[test]
fn the_default_is_that_of_the_dialect() {
    assert_eq!(stored(Family::State, None, Dialect::Dapr), "shop||k");
    assert_eq!(stored(Family::State, None, Dialect::Layotto), "k");
}

#[test]
fn locks_and_sequences_have_their_own_space() {
    assert_eq!(
        stored(Family::Lock, None, Dialect::Layotto),
        "lock|||shop||k"
    );
    assert_eq!(
        stored(Family::Sequencer, None, Dialect::Dapr),
        "sequencer|||shop||k"
    );
    assert_eq!(
        stored(Family::Lock, Some("none"), Dialect::Dapr),
        "lock|||k"
    );
}

#[test]
fn the_separator_is_refused_in_keys_and_prefixes() {
    let none = prefix(Family::State, Some("none"), Dialect::Dapr).unwrap();
    assert_eq!(
        none.stored("a||b").unwrap_err().kind(),
        Kind::InvalidArgument
    );
    assert!(prefix(Family::State, Some("a||b"), Dialect::Dapr).is_err());
}
