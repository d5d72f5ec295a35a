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

/// Envoy's numbers, whatever the protocol that brought the request.
#[test]
fn a_request_is_as_large_as_its_names_and_values_in_http2() {
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("*/*"));
    let get = http::Method::GET;
    let mut both = headers.clone();
    both.insert("host", HeaderValue::from_static("any.test"));
    let h1 = request_size(&get, &"/dead".parse().unwrap(), "http", &both);
    let h2: http::Uri = "http://any.test/dead".parse().unwrap();
    assert_eq!(h1, 18 + 10 + 10 + 11 + 9);
    assert_eq!(request_size(&get, &h2, "http", &headers), h1);
    both.insert("host", HeaderValue::from_static("another"));
    assert_eq!(request_size(&get, &h2, "http", &both), h1);
    assert_eq!(
        request_size(&get, &"/".parse().unwrap(), "", &HeaderMap::new()),
        10 + 6 + 7
    );
}

#[test]
fn what_is_unwanted_goes_with_all_its_values_and_nothing_else() {
    let mut headers = HeaderMap::new();
    for (name, value) in [("te", "a"), ("x-a", "1"), ("te", "b"), ("x-b", "2")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    remove_where(&mut headers, |name| matches!(name, "te" | "x-b" | "host"));
    let left: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, ["x-a"]);
}

/// A value that is part of something larger keeps all of it.
#[test]
fn values_of_their_own_keep_nothing_else() {
    let read = bytes::Bytes::from(b"date: today\r\ncookie: secret\r\n".to_vec());
    let part = |range| HeaderValue::from_maybe_shared(read.slice(range)).unwrap();
    let (today, mut secret) = (part(6..11), part(21..27));
    secret.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.append("date", today.clone());
    headers.append("cookie", secret.clone());
    headers.append("cookie", today.clone());
    let before = headers.clone();
    own_values(&mut headers);
    assert_eq!(headers, before);
    assert!(headers["cookie"].is_sensitive() && !headers["date"].is_sensitive());
    drop((before, today, secret));
    assert!(read.is_unique());
}
