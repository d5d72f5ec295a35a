//! Distinguished names as RFC 2253 writes them, which is how Envoy logs them.

use std::fmt::Write as _;

use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::certificate::hex;

/// The attributes with a short name, by their identifiers; others are written as numbers.
const SHORT: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// The last part first, parts separated by commas, values of one part by plus signs.
pub(super) fn rfc2253(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let parts: Vec<_> = name.iter().collect();
    for (i, part) in parts.into_iter().rev().enumerate() {
        if i > 0 {
            text.push(',');
        }
        let values: Vec<_> = part.iter().collect();
        for (i, value) in values.into_iter().rev().enumerate() {
            if i > 0 {
                text.push('+');
            }
            attribute(&mut text, value);
        }
    }
    text
}

fn attribute(out: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let oid = attribute.attr_type().to_id_string();
    let short = SHORT.iter().find(|(number, _)| **number == oid);
    match short {
        Some((_, short)) => out.push_str(short),
        None => out.push_str(&oid),
    }
    out.push('=');
    match (short, text(attribute)) {
        (Some(_), Some(text)) => escape(out, &text),
        _ => {
            let value = attribute.attr_value();
            let _ = write!(
                out,
                "#{}",
                hex(&der(value.header.tag(), value.data)).to_uppercase()
            );
        }
    }
}

/// The value, if it is of one of the kinds that are text.
fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let value = attribute.attr_value();
    match value.header.tag() {
        Tag::Utf8String => String::from_utf8(value.data.to_vec()).ok(),
        Tag::PrintableString | Tag::Ia5String | Tag::T61String | Tag::VisibleString => {
            Some(value.data.iter().map(|byte| char::from(*byte)).collect())
        }
        Tag::BmpString => {
            let units = value.data.chunks_exact(2);
            let units: Vec<u16> = units
                .map(|two| u16::from_be_bytes([two[0], two[1]]))
                .collect();
            String::from_utf16(&units).ok()
        }
        _ => None,
    }
}

fn escape(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    for (i, byte) in bytes.iter().enumerate() {
        let (first, last) = (i == 0, i + 1 == bytes.len());
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'#' if first => out.push_str("\\#"),
            b' ' if first || last => out.push_str("\\ "),
            0x20..=0x7e => out.push(char::from(*byte)),
            other => {
                let _ = write!(out, "\\{other:02X}");
            }
        }
    }
}

/// A value with its header, as it was in the certificate; long ones have a longer length.
fn der(tag: Tag, data: &[u8]) -> Vec<u8> {
    let mut der = vec![u8::try_from(tag.0).unwrap_or(0)];
    match u8::try_from(data.len()) {
        Ok(short) if short < 0x80 => der.push(short),
        Ok(long) => der.extend([0x81, long]),
        Err(_) => {
            let [high, low] = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
            der.extend([0x82, high, low]);
        }
    }
    der.extend_from_slice(data);
    der
}
