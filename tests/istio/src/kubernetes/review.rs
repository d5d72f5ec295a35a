//! Who a token says that its bearer is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A token of a service account, unsigned: enough for a review that looks at no signature.
pub fn make(namespace: &str, account: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({
        "iss": "tests", "aud": ["istio-ca"], "exp": 4_102_444_800_u64,
        "sub": format!("system:serviceaccount:{namespace}:{account}"),
    });
    format!(
        "{}.{}.{}",
        part(json!({ "alg": "none", "typ": "JWT" })),
        part(claims),
        "eA"
    )
}

/// The review, with what came of it.
pub fn token(mut review: Value) -> Value {
    let status = match claims(&review) {
        Some((user, audiences)) => json!({
            "authenticated": true,
            "audiences": audiences,
            "user": { "username": user, "uid": user, "groups": ["system:serviceaccounts", "system:authenticated"] },
        }),
        None => json!({ "authenticated": false, "error": "expected a token of a service account" }),
    };
    review["status"] = status;
    review
}

fn claims(review: &Value) -> Option<(String, Value)> {
    let token = review["spec"]["token"].as_str()?;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let user = claims["sub"].as_str()?;
    let (had, wanted) = (&claims["aud"], &review["spec"]["audiences"]);
    let had = had.as_array()?;
    let fit = match wanted.as_array() {
        Some(wanted) => wanted.iter().any(|audience| had.contains(audience)),
        None => true,
    };
    (fit && user.starts_with("system:serviceaccount:"))
        .then(|| (user.to_owned(), claims["aud"].clone()))
}
