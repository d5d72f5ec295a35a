//! What the two variants of xDS have in common.

use envoy_types::pb::envoy::config::core::v3::Node;
use prost::Message;

use crate::wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryResponse};
use crate::{Delta, Malformed, Sotw, SotwRequest, Update};

/// A message that says for which type it is, and answers or is answered by nonce.
pub(crate) trait Response: Message + Default + Send + 'static {
    fn type_url(&self) -> &str;
    fn nonce(&self) -> &str;
    /// What the control plane calls itself.
    fn control_plane(&self) -> Option<&str>;
}

pub(crate) trait Request: Message + 'static {
    fn set_node(&mut self, node: Node);
}

impl Request for SotwRequest {
    fn set_node(&mut self, node: Node) {
        SotwRequest::set_node(self, node);
    }
}

impl Request for DeltaDiscoveryRequest {
    fn set_node(&mut self, node: Node) {
        self.node = Some(node);
    }
}

/// One type's subscription in one of the variants.
pub(crate) trait Machine {
    type Request: Request;
    type Response: Response;

    fn new(type_url: &str, wildcard: bool) -> Self;
    fn subscribe(&mut self, names: &[String]);
    fn unsubscribe(&mut self, names: &[String]);
    fn forget(&mut self, names: &[String]);
    fn start(&mut self);
    fn start_elsewhere(&mut self);
    fn poll_request(&mut self) -> Option<Self::Request>;
    fn response(&mut self, response: Self::Response) -> Result<Update, Malformed>;
    fn accept(&mut self, nonce: &str) -> Option<Self::Request>;
    fn reject(&mut self, nonce: &str, reason: &str) -> Option<Self::Request>;
}

macro_rules! machine {
    ($machine:ident, $request:ident, $response:ident, |$it:ident, $names:ident| $forget:expr) => {
        impl Response for $response {
            fn type_url(&self) -> &str {
                &self.type_url
            }
            fn nonce(&self) -> &str {
                &self.nonce
            }
            fn control_plane(&self) -> Option<&str> {
                Some(&*self.control_plane.as_ref()?.identifier)
            }
        }

        impl Machine for $machine {
            type Request = $request;
            type Response = $response;

            fn new(type_url: &str, wildcard: bool) -> Self {
                $machine::new(type_url, wildcard)
            }
            fn subscribe(&mut self, names: &[String]) {
                $machine::subscribe(self, names.iter().map(String::as_str));
            }
            fn unsubscribe(&mut self, names: &[String]) {
                $machine::unsubscribe(self, names.iter().map(String::as_str));
            }
            fn forget(&mut self, $names: &[String]) {
                let $it = self;
                $forget
            }
            fn start(&mut self) {
                $machine::start(self);
            }
            fn start_elsewhere(&mut self) {
                $machine::start_elsewhere(self);
            }
            fn poll_request(&mut self) -> Option<$request> {
                $machine::poll_request(self)
            }
            fn response(&mut self, response: $response) -> Result<Update, Malformed> {
                $machine::response(self, response)
            }
            fn accept(&mut self, nonce: &str) -> Option<$request> {
                $machine::accept(self, nonce)
            }
            fn reject(&mut self, nonce: &str, reason: &str) -> Option<$request> {
                $machine::reject(self, nonce, reason)
            }
        }
    };
}

// The one version of state of the world stands for what else came with it, so it stays.
machine!(Sotw, SotwRequest, DiscoveryResponse, |_it, _names| ());
machine!(
    Delta,
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    |it, names| Delta::forget(it, names.iter().map(String::as_str))
);
