//! Additions and removals of headers.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3 as core;
use http::HeaderName;
use tandem_model::format::Format;
use tandem_model::headers::{AppendAction, HeaderAdd, HeaderMutations, HeaderText};

use crate::cx::Cx;
use crate::value;

/// The edits of `request_headers_to_add` and `…_to_remove`.
pub(crate) fn request(
    cx: &Cx<'_>,
    add: &[core::HeaderValueOption],
    remove: &[String],
) -> HeaderMutations {
    mutations(
        cx,
        ("request_headers_to_add", add),
        ("request_headers_to_remove", remove),
    )
}

/// The edits of `response_headers_to_add` and `…_to_remove`.
pub(crate) fn response(
    cx: &Cx<'_>,
    add: &[core::HeaderValueOption],
    remove: &[String],
) -> HeaderMutations {
    mutations(
        cx,
        ("response_headers_to_add", add),
        ("response_headers_to_remove", remove),
    )
}

fn mutations(
    cx: &Cx<'_>,
    add: (&str, &[core::HeaderValueOption]),
    remove: (&str, &[String]),
) -> HeaderMutations {
    HeaderMutations {
        remove: cx.each(remove.0, remove.1, |cx, name| editable(cx, name)),
        add: cx.each(add.0, add.1, addition),
    }
}

#[allow(deprecated, reason = "Envoy still takes `append`")]
fn addition(cx: &Cx<'_>, proto: &core::HeaderValueOption) -> Option<HeaderAdd> {
    use core::header_value_option::HeaderAppendAction as Action;
    let header = proto.header.as_ref()?;
    let in_header = &cx.field("header");
    let name = editable(&in_header.field("key"), &header.key);
    let value = header_text(&in_header.field("value"), &header.value);
    let action = match (proto.append_action(), &proto.append) {
        (Action::AppendIfExistsOrAdd, Some(append)) if !append.value => {
            AppendAction::OverwriteIfExistsOrAdd
        }
        (Action::AppendIfExistsOrAdd, _) => AppendAction::AppendIfExistsOrAdd,
        (_, Some(_)) => {
            cx.error("expected either append or append_action");
            return None;
        }
        (Action::AddIfAbsent, None) => AppendAction::AddIfAbsent,
        (Action::OverwriteIfExistsOrAdd, None) => AppendAction::OverwriteIfExistsOrAdd,
        (Action::OverwriteIfExists, None) => AppendAction::OverwriteIfExists,
    };
    Some(HeaderAdd {
        name: name?,
        value: value?,
        action,
        keep_empty_value: proto.keep_empty_value,
    })
}

/// `:path` and the like say how a request is routed, so edits may not touch them.
fn editable(cx: &Cx<'_>, name: &str) -> Option<HeaderName> {
    if name.starts_with(':') || name.eq_ignore_ascii_case("host") {
        cx.error(format!(
            "expected a header other than host and those with ':', got {name:?}"
        ));
        return None;
    }
    value::header_name(cx, name)
}

fn header_text(cx: &Cx<'_>, text: &str) -> Option<HeaderText> {
    let format = cx.ok(Format::parse(text))?;
    match format.as_literal() {
        Some(literal) => value::header_value(cx, literal).map(HeaderText::Literal),
        None => Some(HeaderText::Format(Arc::new(format))),
    }
}
