use super::*;

/// Numbers and names are those of BoringSSL: logs are searched for them.
#[test]
fn alerts_have_boringssls_numbers() {
    let line = received(AlertDescription::UnknownCA).line("");
    assert_eq!(
        line,
        "TLS_error:|268436504:SSL routines:OPENSSL_internal:TLSV1_ALERT_UNKNOWN_CA:TLS_error_end"
    );
}
