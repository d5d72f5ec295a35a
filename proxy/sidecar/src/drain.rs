//! Draining: the inbound listeners and the others apart, as `/drain_listeners?inboundonly` asks.

use tandem_core::drain::{self, Phase, Signal, Watch};
use tandem_model::listener::TrafficDirection;

/// The process's drain signals.
#[derive(Debug)]
pub(crate) struct Drains {
    inbound: Side,
    others: Side,
}

#[derive(Debug)]
struct Side {
    signal: Signal,
    watch: Watch,
}

impl Side {
    fn new() -> Self {
        let (signal, watch) = drain::channel();
        Self { signal, watch }
    }
}

impl Drains {
    /// Nothing drains.
    pub(crate) fn new() -> Self {
        Self {
            inbound: Side::new(),
            others: Side::new(),
        }
    }

    /// What a listener of this direction obeys.
    pub(crate) fn watch(&self, direction: TrafficDirection) -> Watch {
        match direction {
            TrafficDirection::Inbound => self.inbound.watch.clone(),
            TrafficDirection::Outbound | TrafficDirection::Unspecified => self.others.watch.clone(),
        }
    }

    /// All sides.
    pub(crate) fn sides(&self) -> [Watch; 2] {
        [self.inbound.watch.clone(), self.others.watch.clone()]
    }

    /// Moves the inbound listeners to a phase, and the others too unless `inbound_only`.
    pub(crate) fn listeners(&self, inbound_only: bool, phase: Phase) {
        self.inbound.signal.set(phase);
        if !inbound_only {
            self.others.signal.set(phase);
        }
    }

    /// Moves everything to a phase.
    pub(crate) fn all(&self, phase: Phase) {
        self.listeners(false, phase);
    }
}
