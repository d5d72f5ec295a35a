//! From a file's text to the bootstrap message: read, transcode, check, decode.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::bootstrap::v3::Bootstrap;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use prost::Message as _;
use tandem_xds_client::poll::Fetched;

use crate::error::{Error, Errors, Segment, Trail};
use crate::schema::Message;
use crate::source::{Node, Source, locate};
use crate::transcode::{transcode, transcode_for_later};
use crate::{json, support, validate};

const TYPE: &str = "envoy.config.bootstrap.v3.Bootstrap";
const RESPONSE: &str = "envoy.service.discovery.v3.DiscoveryResponse";

/// Reads a bootstrap; what is wrong with it is reported in one go.
///
/// Sources are merged in their order, as Envoy merges `--config-yaml` over `--config-path`: later
/// values replace earlier ones, lists are appended, messages are merged.
pub fn read_bootstrap(sources: &[Source]) -> Result<Bootstrap, Errors> {
    read_with(sources, |_| Ok(())).map(|(bootstrap, ())| bootstrap)
}

/// Reads a response of a control plane as files and REST have it. Its resources are not looked
/// into: only what cannot be written as protobuf is a fault of theirs.
///
/// # Errors
/// What is wrong with the response itself.
pub fn read_response(source: &Source) -> Result<Fetched, Errors> {
    let Some(ty) = Message::named(RESPONSE) else {
        return Err(Error::new(&Trail::ROOT, format!("the schema has no {RESPONSE}")).into());
    };
    let node = source.parse()?;
    let (bytes, errors) = transcode_for_later(source, &node, ty);
    let mut faults: BTreeMap<usize, String> = BTreeMap::new();
    let mut whole = Vec::new();
    for error in errors {
        match error.path.0.as_slice() {
            [Segment::Field(list), Segment::Index(i), ..] if list == "resources" => {
                let fault = faults.entry(*i).or_default();
                if !fault.is_empty() {
                    fault.push_str("; ");
                }
                fault.push_str(&error.within(2).to_string());
            }
            _ => whole.push(error),
        }
    }
    if !whole.is_empty() {
        return Err(Errors(whole));
    }
    let decoded = DiscoveryResponse::decode(bytes.as_slice());
    let response = decoded.map_err(|error| {
        Error::new(
            &Trail::ROOT,
            format!("expected a discovery response: {error}"),
        )
    })?;
    Ok(Fetched { response, faults })
}

/// The merged bootstrap as JSON, as `/config_dump` shows it.
pub fn to_json(sources: &[Source]) -> Result<String, Errors> {
    read(sources, |ty, bytes| match json::message(ty, bytes) {
        Ok(value) => Ok(value.to_string()),
        Err(malformed) => Err(vec![Error::new(&Trail::ROOT, malformed.to_string())]),
    })
}

/// Reads a bootstrap and goes on with `then`, whose errors get their lines too.
pub(crate) fn read_with<T>(
    sources: &[Source],
    then: impl FnOnce(&Bootstrap) -> Result<T, Vec<Error>>,
) -> Result<(Bootstrap, T), Errors> {
    read(sources, |_, bytes| match Bootstrap::decode(bytes) {
        Ok(bootstrap) => then(&bootstrap).map(|value| (bootstrap, value)),
        Err(e) => Err(vec![Error::new(
            &Trail::ROOT,
            format!("expected a bootstrap: {e}"),
        )]),
    })
}

/// Reads, merges and checks; `then` gets bytes that nothing is wrong with so far.
fn read<T>(
    sources: &[Source],
    then: impl FnOnce(Message, &[u8]) -> Result<T, Vec<Error>>,
) -> Result<T, Errors> {
    let Some(ty) = Message::named(TYPE) else {
        return Err(Error::new(&Trail::ROOT, format!("the schema has no {TYPE}")).into());
    };
    let nodes = sources
        .iter()
        .map(Source::parse)
        .collect::<Result<Vec<_>, _>>()?;
    let documents: Vec<_> = sources.iter().zip(&nodes).collect();
    let (mut bytes, mut errors) = (Vec::new(), Vec::new());
    for (source, node) in &documents {
        // a message behind another is the merge of both
        let (part, part_errors) = transcode(source, node, ty);
        bytes.extend(part);
        errors.extend(part_errors);
    }
    // what could not be read is missing below; to say so again would be noise
    let unread: Vec<_> = errors.iter().map(|error| error.path.clone()).collect();
    errors.extend(support::check(ty, &bytes));
    let broken = validate::check(ty, &bytes);
    let news = |error: &Error| !unread.iter().any(|path| path.0.starts_with(&error.path.0));
    errors.extend(broken.into_iter().filter(news));
    let result = if errors.is_empty() {
        then(ty, &bytes)
    } else {
        Err(errors)
    };
    result.map_err(|errors| Errors(placed(errors, &documents)))
}

/// Gives every error its line, and puts them in the order of the texts.
fn placed(errors: Vec<Error>, documents: &[(&Source, &Node<'_>)]) -> Vec<Error> {
    let mut placed: Vec<Error> = Vec::new();
    for mut error in errors {
        if error.place.is_none()
            && let Some((source, position)) = locate(documents, &error.path)
        {
            error = error.at(source.name(), position);
        }
        // a value that could not be read is not also missing
        let known = |other: &Error| other.path == error.path;
        if !placed.iter().any(known) {
            placed.push(error);
        }
    }
    let order = |name: &str| {
        documents
            .iter()
            .position(|(source, _)| source.name() == name)
    };
    placed.sort_by_key(|error| error.place.as_ref().map(|(name, at)| (order(name), *at)));
    placed
}

#[cfg(test)]
mod tests;
