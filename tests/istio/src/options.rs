//! The command line.

use std::time::Duration;

use tandem_harness::Kind::{Envoy, Tandem};

use crate::mesh::Pair;

const USAGE: &str = "usage: tandem-istio [--outage SECONDS] [PAIR...]
  PAIR              the client's and the server's proxy: tandem-tandem, tandem-envoy, envoy-tandem,
                    envoy-envoy (the reference: what the checks ask, it does); all if none is named
  --outage SECONDS  how long istiod is away, with Tandem on both sides (60); 5 with the others";

/// The last is the reference, and has no Tandem in it.
const PAIRS: [Pair; 4] = [
    Pair {
        client: Tandem,
        server: Tandem,
    },
    Pair {
        client: Tandem,
        server: Envoy,
    },
    Pair {
        client: Envoy,
        server: Tandem,
    },
    Pair {
        client: Envoy,
        server: Envoy,
    },
];

/// What is asked for.
pub struct Options {
    /// The pairs of proxies, and how long istiod is away in their mesh.
    pub pairs: Vec<(Pair, Duration)>,
}

impl Options {
    /// Reads arguments.
    ///
    /// # Errors
    /// What may be said.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, &'static str> {
        let mut outage = 60;
        let mut pairs = Vec::new();
        while let Some(argument) = arguments.next() {
            if argument == "--outage" {
                let seconds = arguments.next().and_then(|text| text.parse().ok());
                outage = seconds.ok_or(USAGE)?;
                continue;
            }
            let pair = PAIRS.into_iter().find(|pair| pair.to_string() == argument);
            pairs.push(pair.ok_or(USAGE)?);
        }
        if pairs.is_empty() {
            pairs = PAIRS.into();
        }
        let outage = |pair: Pair| match pair == PAIRS[0] {
            true => outage,
            false => outage.min(5),
        };
        let pairs = pairs.into_iter();
        Ok(Self {
            pairs: pairs
                .map(|pair| (pair, Duration::from_secs(outage(pair))))
                .collect(),
        })
    }
}
