//! The parameters of `/config_dump`, as Envoy takes them.

use http::StatusCode;
use serde_json::Value;
use tandem_model::matching::Regex;

use super::super::query::{decode, has, parameter};

/// What is asked for.
#[derive(Debug, Default)]
pub(in super::super) struct Ask {
    /// One list.
    pub(super) resource: Option<String>,
    /// Whether endpoints are shown.
    pub(super) include_eds: bool,
    mask: Option<String>,
    name_regex: Option<Regex>,
}

/// Why there is no dump.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Refused {
    /// The expression is wrong.
    #[error("INVALID_ARGUMENT: Error while parsing name_regex from {0}: {1}")]
    Regex(String, String),
    /// No section has this list.
    #[error("{0} not found in config dump")]
    NotFound(String),
    /// Not a list.
    #[error("{0} is not a repeated field. Use ?mask={0} to get only this field")]
    Single(String),
    /// The mask does not fit the items.
    #[error("FieldMask {0} could not be successfully used.")]
    Mask(String),
    /// The mask fits no section.
    #[error("FieldMask {0} could not be successfully applied to any configs.")]
    MaskOfAll(String),
}

impl Refused {
    /// How it is answered.
    pub(in super::super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Regex(..) | Self::Single(_) | Self::Mask(_) | Self::MaskOfAll(_) => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

impl Ask {
    /// Reads a query; an empty value is as good as none.
    pub(in super::super) fn of(query: &str) -> Result<Self, Refused> {
        let given = |name| {
            parameter(query, name)
                .map(decode)
                .filter(|value| !value.is_empty())
        };
        let regex = |pattern: String| {
            let compiled = Regex::new(&pattern);
            compiled.map_err(|error| Refused::Regex(pattern, error.to_string()))
        };
        Ok(Self {
            resource: given("resource"),
            include_eds: has(query, "include_eds"),
            mask: given("mask"),
            name_regex: given("name_regex").map(regex).transpose()?,
        })
    }

    /// Whether an item is meant.
    pub(super) fn names(&self, item: &Value) -> bool {
        let name = name_of(item);
        (self.name_regex.as_ref()).is_none_or(|regex| regex.is_full_match(name))
    }

    /// The items of one list, trimmed.
    pub(super) fn items(&self, mut items: Vec<Value>) -> Result<Vec<Value>, Refused> {
        if let Some(mask) = &self.mask {
            let fits = items.iter_mut().all(|item| trim(item, mask));
            fits.then_some(())
                .ok_or_else(|| Refused::Mask(mask.clone()))?;
        }
        Ok(items)
    }

    /// The sections that the mask fits, trimmed.
    pub(super) fn sections(&self, mut sections: Vec<Value>) -> Result<Vec<Value>, Refused> {
        if let Some(mask) = &self.mask {
            sections.retain_mut(|section| trim(section, mask));
            if sections.is_empty() {
                return Err(Refused::MaskOfAll(mask.clone()));
            }
        }
        Ok(sections)
    }
}

fn trim(message: &mut Value, mask: &str) -> bool {
    let url = message["@type"].as_str().unwrap_or_default();
    let ty = url.rsplit('/').next().unwrap_or_default().to_owned();
    let paths: Vec<&str> = mask.split(',').collect();
    tandem_xds_translate::trim(&ty, message, &paths)
}

/// The name of an item: its own, or that of what it holds, or of what was refused.
fn name_of(item: &Value) -> &str {
    const HOLDERS: [&str; 6] = [
        "cluster",
        "listener",
        "route_config",
        "endpoint_config",
        "ecds_filter",
        "secret",
    ];
    if let Some(name) = item["name"].as_str() {
        return name;
    }
    let held = HOLDERS.iter().map(|holder| &item[*holder]);
    let mut held = held.chain([&item["error_state"]["failed_configuration"]]);
    let name = held.find_map(|held| held["name"].as_str().or(held["cluster_name"].as_str()));
    name.unwrap_or_default()
}
