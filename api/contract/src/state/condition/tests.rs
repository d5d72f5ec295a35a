use Concurrency::{FirstWrite, LastWrite, Unspecified};

use super::*;

const PLAIN: Option<Current> = Some(Current {
    version: 7,
    first_write: false,
});
const FIRST: Option<Current> = Some(Current {
    version: 7,
    first_write: true,
});

fn set(etag: Option<&str>, concurrency: Concurrency, current: Option<Current>) -> bool {
    Condition::of_set(etag, concurrency).unwrap().holds(current)
}

fn delete(etag: Option<&str>, concurrency: Concurrency, current: Option<Current>) -> bool {
    Condition::of_delete(etag, concurrency)
        .unwrap()
        .holds(current)
}

#[test]
fn no_etag_is_no_condition_whichever_way_it_is_said() {
    for etag in [None, Some(""), Some("0")] {
        assert!(set(etag, Unspecified, PLAIN));
        assert!(delete(etag, Unspecified, FIRST));
        assert!(delete(etag, FirstWrite, FIRST));
    }
}

#[test]
fn an_etag_must_match_unless_the_key_is_absent_or_the_last_write_wins() {
    assert!(set(Some("7"), Unspecified, PLAIN));
    assert!(!set(Some("6"), Unspecified, PLAIN));
    assert!(!delete(Some("6"), FirstWrite, PLAIN));
    assert!(set(Some("6"), FirstWrite, None));
    assert!(set(Some("6"), LastWrite, PLAIN));
    assert!(delete(Some("6"), LastWrite, PLAIN));
}

#[test]
fn first_write_without_etag_only_creates_and_marks() {
    assert!(set(None, FirstWrite, None));
    assert!(!set(None, FirstWrite, PLAIN));
    assert!(!set(None, Unspecified, FIRST));
    assert!(set(None, LastWrite, FIRST));
}

#[test]
fn an_etag_that_is_no_number_is_invalid() {
    let error = Condition::of_set(Some("abc"), Unspecified).unwrap_err();
    assert_eq!(error.kind(), crate::Kind::EtagInvalid);
}
