//! One control plane, Envoy and Tandem, and changes that both hear at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tandem_harness::{Kind, wait};

use super::shown;
use super::side::{Ask, Place, Side};
use crate::mesh::backend::Backend;
use crate::mesh::plane::Plane;
use crate::oracle::case::{self, Case};
use crate::oracle::{Fields, compare};

/// How long the two may be of different minds while a change lands.
const AGREES: Duration = Duration::from_secs(4);
/// How long Envoy may still be at a change when both answer alike.
const SETTLES: Duration = Duration::from_secs(2);
/// What a look and the pause behind it count for at most: where they took longer the machine stood
/// still.
const LOOK: Duration = Duration::from_millis(100);

/// The control plane, its clients and their upstreams.
pub struct World {
    pub plane: Plane,
    /// Envoy, and then Tandem.
    pub sides: [Side; 2],
    places: [Place; 2],
    pub one: Backend,
    pub two: Backend,
    /// Nobody hears what the control plane says.
    away: bool,
    /// For the names of groups in `meant.txt`.
    group: String,
    steps: Vec<Case>,
    seen: [Vec<Fields>; 2],
}

impl World {
    /// Both start under a control plane that says `resources` (of the backends' ports).
    pub async fn start(
        group: &str,
        variant: &str,
        more: &str,
        resources: impl FnOnce(u16, u16) -> String,
    ) -> Self {
        let plane = Plane::start().await;
        let (one, two) = (Backend::start("one").await, Backend::start("two").await);
        let places = [Place::new("envoy"), Place::new("tandem")];
        say(&plane, &places, &resources(one.port, two.port));
        let subject = match std::env::var("TANDEM_ORACLE_SUBJECT").as_deref() {
            Ok("envoy") => Kind::Envoy,
            _ => Kind::Tandem,
        };
        let (envoy, tandem) = tokio::join!(
            places[0].start(Kind::Envoy, variant, &plane, more),
            places[1].start(subject, variant, &plane, more),
        );
        let mut sides = [envoy, tandem];
        for side in &mut sides {
            side.knows(one.port, "one");
            side.knows(two.port, "two");
        }
        let wire = if variant == "GRPC" { "sotw" } else { "delta" };
        Self {
            plane,
            sides,
            places,
            one,
            two,
            away: false,
            group: format!("{group}-{wire}"),
            steps: Vec::new(),
            seen: [Vec::new(), Vec::new()],
        }
    }

    /// The control plane says these resources and no others; what both then answer and show is
    /// kept for [`World::compared`], as soon as Envoy answers what is expected and both agree.
    pub async fn step(&mut self, name: &str, resources: &str, asks: &[Ask]) {
        say(&self.plane, &self.places, resources);
        self.look(name, resources, asks).await;
    }

    /// The same without anything new to say.
    pub async fn look(&mut self, name: &str, resources: &str, asks: &[Ask]) {
        let mut case = case::get(name, "", "");
        let mut meant = compare::meant("planes", name);
        meant.extend(compare::meant(&self.group, name));
        case.differs = meant;
        let (begun, mut spent) = (Instant::now(), Duration::ZERO);
        let (mut envoy, mut tandem);
        loop {
            let look = Instant::now();
            (envoy, tandem) = self.both(resources, asks).await;
            let mut sides = self.sides.iter();
            let settled = self.away || sides.all(|side| self.plane.settled(side.node));
            let answered = asks.iter().all(|ask| ask.is_answered(&envoy));
            let agree = compare::agree(&case, &envoy, &tandem);
            if settled && answered && agree {
                break;
            }
            // Counted from when Envoy answered, however long that took.
            if answered && spent > if agree { SETTLES } else { AGREES } {
                break;
            }
            let missed = asks.iter().filter(|ask| !ask.is_answered(&envoy));
            let missed: Vec<_> = missed.collect();
            assert!(
                missed.is_empty() || begun.elapsed() < wait::PATIENCE,
                "{name}: Envoy does not answer {missed:?}: {envoy:#?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            if answered {
                spent += look.elapsed().min(LOOK);
            }
        }
        for side in &mut self.sides {
            side.heard = self.plane.told(side.node).answers.len();
        }
        self.steps.push(case);
        self.seen[0].push(envoy);
        self.seen[1].push(tandem);
    }

    /// The control plane ends all streams and listens no more.
    pub async fn stop(&mut self) {
        self.away = true;
        self.plane.stop().await;
    }

    /// The control plane listens again, and both have found it.
    pub async fn resume(&mut self) {
        let streams = self.plane.streams();
        self.plane.resume().await;
        let back = || self.plane.streams() >= streams + 2;
        // Envoy's pauses between attempts grow to half a minute.
        let found = wait::until(wait::PATIENCE * 4, back).await;
        assert!(found, "nobody came back");
        self.away = false;
    }

    async fn both(&mut self, resources: &str, asks: &[Ask]) -> (Fields, Fields) {
        let names = names(resources);
        let plane = &self.plane;
        let [envoy, tandem] = &mut self.sides;
        tokio::join!(
            observe(plane, envoy, &names, asks),
            observe(plane, tandem, &names, asks)
        )
    }

    /// Tells the difference of all steps.
    ///
    /// # Panics
    /// When there is one that nobody meant.
    pub fn compared(self) {
        let [envoy, tandem] = &self.seen;
        let first = self.steps.first().map_or("", |step| &step.name);
        let name = format!("{} {first}", self.group).replace(' ', "-");
        let report = compare::report(&name, &self.steps, envoy, tandem);
        compare::save(&name, &report.text());
        compare::save(&format!("{name}.envoy"), &compare::dump(&self.steps, envoy));
        let log = self.sides[1].proxy.process.output();
        assert!(report.agrees(), "{}\n{log}", report.text());
    }
}

fn say(plane: &Plane, places: &[Place; 2], resources: &str) {
    let [envoy, tandem] = places;
    plane.say_each(&[
        ("envoy", envoy.render(resources)),
        ("tandem", tandem.render(resources)),
    ]);
}

/// The names of resources.
fn names(resources: &str) -> BTreeSet<String> {
    let lines = resources.lines();
    let named = lines.filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        let name = line
            .strip_prefix("name: ")
            .or(line.strip_prefix("cluster_name: "));
        name.map(|name| name.trim_matches('"').to_owned())
    });
    named.collect()
}

async fn observe(plane: &Plane, side: &mut Side, names: &BTreeSet<String>, asks: &[Ask]) -> Fields {
    let mut fields = Fields::new();
    for ask in asks {
        side.ask(ask, &mut fields).await;
    }
    shown::stats(&side.proxy, &mut fields).await;
    shown::dump(&side.proxy, &mut fields).await;
    shown::told(&plane.told(side.node), side.heard, names, &mut fields);
    fields
}
