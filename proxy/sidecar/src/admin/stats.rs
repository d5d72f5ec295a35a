//! `/stats` and `/stats/prometheus`.

use ::http::StatusCode;
use serde_json::{Value as Json, json};
use tandem_core::stats::{Histogram, Registry, Select, Value};

use super::endpoints::Answer;
use super::parameters::{self, Format, Refused};
use super::query::has;

/// The metrics that a query asks for, in the form that it asks for.
pub(super) fn answer(registry: &Registry, path: &str, query: &str) -> Result<Answer, Refused> {
    let format = match (path, Format::of_stats(query)?) {
        ("/stats/prometheus", Format::Text) if !has(query, "format") => Format::Prometheus,
        ("/stats/prometheus", Format::Text | Format::Json) => {
            return Err(Refused::Value {
                name: "format",
                value: super::query::parameter(query, "format")
                    .unwrap_or_default()
                    .to_owned(),
                known: "prometheus",
            });
        }
        (_, format) => format,
    };
    parameters::buckets(query, format)?;
    let kind = parameters::kind(query)?;
    let regex = parameters::regex(query, "filter")?;
    let invert = has(query, "invert_filter");
    let name = |name: &str| {
        let fits = regex.as_ref().map(|regex| regex.is_full_match(name));
        fits.is_none_or(|fits| fits != invert)
    };
    let select = Select {
        name: &name,
        // As Envoy, which looks whether there is such a type, and shows Prometheus all of them.
        kind: kind.filter(|_| format != Format::Prometheus),
        used_only: has(query, "usedonly"),
    };
    Ok(match format {
        Format::Text => Answer::text(registry.text_of(&select)),
        Format::Prometheus => Answer {
            status: StatusCode::OK,
            content_type: "text/plain; version=0.0.4; charset=UTF-8",
            body: registry.prometheus_of(&select, has(query, "text_readouts")),
        },
        Format::Json => {
            let all = json(registry, &select);
            match has(query, "pretty") {
                true => Answer::json(&all),
                false => Answer {
                    body: all.to_string(),
                    ..Answer::json(&Json::Null)
                },
            }
        }
    })
}

/// Envoy's shape.
fn json(registry: &Registry, select: &Select<'_>) -> Json {
    const QUANTILES: [f64; 10] = [0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 100.0];
    let [mut stats, mut numbers, mut histograms] = [const { Vec::new() }; 3];
    registry.each(select, &mut |name, value| match value {
        Value::Text(text) => stats.push(json!({ "name": name, "value": text })),
        Value::Counter(n) | Value::Unsigned(n) => {
            numbers.push(json!({ "name": name, "value": n }));
        }
        Value::Gauge(n) | Value::Set(n) => numbers.push(json!({ "name": name, "value": n })),
        Value::Histogram(histogram) => {
            let values = QUANTILES.map(|percent| {
                // Only what was measured since the start is kept.
                json!({ "interval": null, "cumulative": quantile(histogram, percent) })
            });
            histograms.push(json!({ "name": name, "values": values }));
        }
    });
    stats.append(&mut numbers);
    if !histograms.is_empty() {
        stats.push(json!({ "histograms": {
            "supported_quantiles": QUANTILES.map(number),
            "computed_quantiles": histograms,
        } }));
    }
    json!({ "stats": stats })
}

/// `null` where nothing was measured.
fn quantile(histogram: Option<&Histogram>, percent: f64) -> Json {
    let histogram = histogram.filter(|histogram| histogram.count() > 0);
    histogram.map_or(Json::Null, |one| number(one.quantile(percent / 100.0)))
}

/// Whole numbers are written as such.
fn number(value: f64) -> Json {
    #[allow(clippy::cast_possible_truncation, reason = "whole, and small")]
    match value.fract() == 0.0 {
        true => json!(value as i64),
        false => json!(value),
    }
}
