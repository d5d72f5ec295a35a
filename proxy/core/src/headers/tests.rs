use http::HeaderName;

use super::*;

/// `append_action`, where the header is there (with one value) and where it is not.
#[test]
fn append_actions_are_envoys() {
    let cases: [(AppendAction, &[&str], &[&str]); 4] = [
        (AppendAction::AppendIfExistsOrAdd, &["old", "new"], &["new"]),
        (AppendAction::AddIfAbsent, &["old"], &["new"]),
        (AppendAction::OverwriteIfExistsOrAdd, &["new"], &["new"]),
        (AppendAction::OverwriteIfExists, &["new"], &[]),
    ];
    let name = HeaderName::from_static("x-a");
    let value = HeaderValue::from_static("new");
    for (action, present, absent) in cases {
        let edit = HeaderAdd {
            name: name.clone(),
            value: HeaderText::Literal(value.clone()),
            action,
            keep_empty_value: false,
        };
        for (before, expected) in [(Some("old"), present), (None, absent)] {
            let mut headers = HeaderMap::new();
            if let Some(before) = before {
                headers.insert(&name, HeaderValue::from_static(before));
            }
            add(&mut headers, &edit, value.clone());
            let after: Vec<_> = headers.get_all(&name).iter().collect();
            assert_eq!(after, expected, "{action:?} {before:?}");
        }
    }
}
