//! One stream, whatever its variant: what was asked, what was accepted, what is said next.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use envoy_types::pb::google::protobuf::Any;
use tokio::sync::mpsc;

use super::Updates;
use super::resources::{CLUSTERS, ENDPOINTS, LISTENERS, World};
use crate::Error;

/// A request of either variant.
pub(super) struct Asked {
    pub(super) url: String,
    pub(super) names: Vec<String>,
    pub(super) nonce: String,
    pub(super) error: Option<String>,
}

/// A response of either variant.
pub(super) struct Said {
    pub(super) url: &'static str,
    pub(super) nonce: String,
    pub(super) resources: Vec<(String, Any)>,
}

/// What is known of the client.
pub(super) struct Talk {
    world: World,
    /// The clusters whose endpoints were told.
    told: HashSet<usize>,
    wildcards: HashSet<String>,
    nonces: HashMap<&'static str, u64>,
    accepted: bool,
    run: Option<Run>,
}

/// Updates under way.
struct Run {
    total: usize,
    done: usize,
    since: Instant,
}

impl Talk {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            told: HashSet::new(),
            wildcards: HashSet::new(),
            nonces: HashMap::new(),
            accepted: false,
            run: None,
        }
    }

    /// What a request is answered with, if with anything.
    pub(super) fn hear(&mut self, asked: &Asked) -> Result<Option<Said>, Error> {
        if let Some(error) = &asked.error {
            return Err(format!("{} was refused: {error}", asked.url).into());
        }
        if asked.url != ENDPOINTS {
            return Ok(self.wildcard(&asked.url));
        }
        let new: Vec<usize> = (asked.names.iter())
            .filter_map(|name| self.world.number(name))
            .filter(|number| self.told.insert(*number))
            .collect();
        if !new.is_empty() {
            let each = new.iter();
            let each = each.map(|n| (self.world.name(*n), self.world.endpoints(*n, 0)));
            let resources = each.collect();
            return Ok(Some(self.say(ENDPOINTS, resources)));
        }
        let latest = self.nonces.get(ENDPOINTS).map(u64::to_string);
        if asked.nonce.is_empty() || Some(&asked.nonce) != latest.as_ref() {
            return Ok(None);
        }
        if !self.accepted && self.told.len() == self.world.clusters {
            self.accepted = true;
            println!("accepted");
        }
        self.advance()
    }

    /// Begins to change endpoints.
    pub(super) fn begin(&mut self, Updates(total): Updates) -> Result<Option<Said>, Error> {
        self.run = Some(Run {
            total,
            done: 0,
            since: Instant::now(),
        });
        self.advance()
    }

    /// The next change, when the last one was accepted.
    fn advance(&mut self) -> Result<Option<Said>, Error> {
        let Some(run) = &mut self.run else {
            return Ok(None);
        };
        if run.done == run.total {
            let seconds = run.since.elapsed().as_secs_f64();
            println!("{{\"updates\":{},\"seconds\":{seconds}}}", run.total);
            self.run = None;
            return Ok(None);
        }
        // Another cluster each time, all but the last; a second pass changes the port back.
        let others = self.world.clusters - 1;
        let (number, turn) = (run.done % others, run.done / others + 1);
        run.done += 1;
        let resource = (self.world.name(number), self.world.endpoints(number, turn));
        Ok(Some(self.say(ENDPOINTS, vec![resource])))
    }

    fn wildcard(&mut self, url: &str) -> Option<Said> {
        let known = [CLUSTERS, LISTENERS]
            .into_iter()
            .find(|known| *known == url)?;
        if !self.wildcards.insert(url.to_owned()) {
            return None;
        }
        let resources = match known {
            CLUSTERS => (0..self.world.clusters)
                .map(|number| (self.world.name(number), self.world.cluster(number)))
                .collect(),
            _ => vec![("bench".to_owned(), self.world.listener())],
        };
        Some(self.say(known, resources))
    }

    fn say(&mut self, url: &'static str, resources: Vec<(String, Any)>) -> Said {
        let nonce = self.nonces.entry(url).or_default();
        *nonce += 1;
        Said {
            url,
            nonce: nonce.to_string(),
            resources,
        }
    }
}

/// Answers until the stream or the process ends.
pub(super) async fn talk(
    world: World,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    updates: &mut mpsc::UnboundedReceiver<Updates>,
    mut say: impl FnMut(Said) -> bool,
) {
    let mut talk = Talk::new(world);
    loop {
        let said = tokio::select! {
            asked = asked.recv() => match asked {
                Some(asked) => talk.hear(&asked),
                None => return,
            },
            Some(updates) = updates.recv() => talk.begin(updates),
        };
        match said {
            Ok(Some(said)) => {
                if !say(said) {
                    return;
                }
            }
            Ok(None) => {}
            Err(error) => {
                println!("refused: {error}");
                return;
            }
        }
    }
}
