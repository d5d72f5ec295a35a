use super::{Selection, TagPattern};
use crate::matching::{StringMatch, StringMatcher};

fn found(pattern: &str, name: &str) -> Option<(String, String)> {
    let found = TagPattern::new(pattern).unwrap();
    let found = found.find(name)?;
    Some((name[found.removed].to_owned(), found.value.to_owned()))
}

fn pair(removed: &str, value: &str) -> Option<(String, String)> {
    Some((removed.to_owned(), value.to_owned()))
}

/// The first group leaves the name, the second is the value.
#[test]
fn groups_say_what_is_removed_and_what_is_the_value() {
    let name = "cluster.xds-grpc;.upstream_rq_503";
    assert_eq!(
        found(r"^cluster(\.(.+);)", name),
        pair(".xds-grpc;", "xds-grpc")
    );
    assert_eq!(found(r"_rq(_\d{3})$", name), pair("_503", "_503"));
    assert_eq!(
        found(r"update_(attempt|(success))", "update_attempt"),
        pair("attempt", "")
    );
    assert_eq!(found("upstream", name), None, "no group");
    assert_eq!(found(r"^http(\..+)", name), None);
}

/// Mesh control planes write patterns that look ahead.
#[test]
fn patterns_may_look_ahead() {
    let pattern =
        r"^listener(?=\.).*?\.http\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)";
    let name = "listener.0.0.0.0_80.http.0.0.0.0_81.downstream_rq_2xx";
    assert_eq!(found(pattern, name), pair("0.0.0.0_81.", "0.0.0.0_81"));
    assert!(
        TagPattern::new("(")
            .unwrap_err()
            .to_string()
            .contains("'('")
    );
}

#[test]
fn names_are_selected_by_any_condition() {
    let server = vec![StringMatcher {
        matches: StringMatch::Prefix("server.".into()),
        ignore_case: false,
    }];
    let only = Selection::Only(server.clone());
    assert!(only.selects("server.live") && !only.selects("cluster.a"));
    let except = Selection::Except(server);
    assert!(!except.selects("server.live") && except.selects("cluster.a"));
    assert!(Selection::All.selects("a") && !Selection::None.selects("a"));
}
