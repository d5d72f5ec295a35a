//! The ways in which the program's control plane can be asked.

/// Whether the bootstraps ask for the program's runtime layer (RTDS), as its own do.
const RUNTIME: bool = true;

/// What the program calls `--xds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Ads,
    DeltaAds,
    Xds,
    Rest,
    Delta,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ads => "ads",
            Self::DeltaAds => "delta-ads",
            Self::Xds => "xds",
            Self::Rest => "rest",
            Self::Delta => "delta",
        }
    }

    pub fn flag(self) -> String {
        format!("--xds={}", self.name())
    }

    /// As the program's own script has it.
    pub fn runtimes(self) -> String {
        let runtimes = if self == Self::Ads { 2 } else { 1 };
        format!("--runtimes={runtimes}")
    }

    /// Two each for routes, scopes and TCP; with single delta streams two for virtual hosts, too.
    pub fn listeners(self) -> usize {
        if self == Self::Delta { 8 } else { 6 }
    }

    fn aggregated(self) -> bool {
        matches!(self, Self::Ads | Self::DeltaAds)
    }

    /// Envoy's `api_config_source`, or what stands in its place.
    fn api(self) -> String {
        let api_type = match self {
            Self::Rest => {
                return "{api_type: REST, transport_api_version: V3, refresh_delay: 0.5s, \
                        cluster_names: [xds_cluster]}"
                    .to_owned();
            }
            Self::Ads | Self::Xds => "GRPC",
            Self::DeltaAds | Self::Delta => "DELTA_GRPC",
        };
        format!(
            "{{api_type: {api_type}, transport_api_version: V3, \
             set_node_on_first_message_only: true, \
             grpc_services: [{{envoy_grpc: {{cluster_name: xds_cluster}}}}]}}"
        )
    }

    fn source(self) -> String {
        match self.aggregated() {
            true => "{resource_api_version: V3, ads: {}}".to_owned(),
            false => format!(
                "{{resource_api_version: V3, api_config_source: {}}}",
                self.api()
            ),
        }
    }

    pub fn bootstrap(self) -> String {
        let (port, http2) = match self {
            // As in the program's own bootstrap: the cluster of the access-log service, too, is
            // without HTTP/2, so its entries are lost.
            Self::Rest => ("18001", ""),
            _ => ("18000", "    http2_protocol_options: {}"),
        };
        let ads = format!("  ads_config: {}", self.api());
        let runtime = format!(
            "layered_runtime: {{layers: [{{name: runtime-0, rtds_layer: \
             {{name: runtime-0, rtds_config: {}}}}}]}}",
            self.source()
        );
        // Aggregated, no bootstrap of the program has one.
        let with_runtime = RUNTIME && !self.aggregated();
        include_str!("bootstrap.yaml")
            .split_once("admin:")
            .map(|(_, text)| format!("admin:{text}"))
            .unwrap()
            .replace("SOURCE", &self.source())
            .replace("ADS", if self.aggregated() { &ads } else { "" })
            .replace("HTTP2", http2)
            .replace("PORT", port)
            .replace("RUNTIME", if with_runtime { &runtime } else { "" })
    }
}
