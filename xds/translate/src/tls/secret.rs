//! Certificates and keys, and secrets by name.

use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{self as core, data_source::Specifier};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as proto;
use tandem_model::tls::{
    DataSource, SdsSecret, Secret, SecretKind, SecretRef, SecretSource, TlsCertificate,
};

use super::validation;
use crate::cx::Cx;
use crate::{config_source, value};

/// A secret as it comes by itself.
pub(crate) fn secret(cx: &Cx<'_>, proto: &proto::Secret) -> Option<Secret> {
    use proto::secret::Type;
    let kind = match proto.r#type.as_ref() {
        Some(Type::TlsCertificate(proto)) => {
            let one = certificate(&cx.field("tls_certificate"), proto)?;
            SecretKind::Certificate(Arc::new(one))
        }
        Some(Type::ValidationContext(proto)) => {
            let rules = validation::rules(&cx.field("validation_context"), proto)?;
            SecretKind::Validation(Arc::new(rules))
        }
        _ => {
            cx.error("expected one of tls_certificate, validation_context");
            return None;
        }
    };
    Some(Secret {
        name: proto.name.as_str().into(),
        kind,
    })
}

/// A context's certificates, its own and those by name.
pub(super) fn certificates(
    cx: &Cx<'_>,
    proto: &proto::CommonTlsContext,
) -> Vec<SecretRef<TlsCertificate>> {
    let own = cx.each("tls_certificates", &proto.tls_certificates, |cx, proto| {
        certificate(cx, proto).map(|one| SecretRef::Inline(Arc::new(one)))
    });
    let field = "tls_certificate_sds_secret_configs";
    let named = cx.each(
        field,
        &proto.tls_certificate_sds_secret_configs,
        |cx, proto| by_name(cx, proto).map(SecretRef::Sds),
    );
    own.into_iter().chain(named).collect()
}

fn certificate(cx: &Cx<'_>, proto: &proto::TlsCertificate) -> Option<TlsCertificate> {
    let required = |field: &str, source: Option<&core::DataSource>| {
        let cx = &cx.field(field);
        if source.is_none() {
            cx.error("expected PEM, it is missing");
        }
        data(cx, source?)
    };
    Some(TlsCertificate {
        chain: required("certificate_chain", proto.certificate_chain.as_ref())?,
        key: required("private_key", proto.private_key.as_ref())?,
        watched_directory: directory(proto.watched_directory.as_ref()),
    })
}

pub(super) fn directory(proto: Option<&core::WatchedDirectory>) -> Option<Arc<str>> {
    proto.and_then(|proto| value::text(&proto.path))
}

/// A secret's bytes, or the file that is to be watched for them.
pub(super) fn data(cx: &Cx<'_>, source: &core::DataSource) -> Option<DataSource> {
    match &source.specifier {
        Some(Specifier::Filename(path)) => Some(DataSource::File(path.as_str().into())),
        _ => value::data(cx, source).map(DataSource::Inline),
    }
}

/// A reference to a secret. Without a source it is one of the bootstrap's.
pub(super) fn by_name(cx: &Cx<'_>, proto: &proto::SdsSecretConfig) -> Option<SdsSecret> {
    let source = match &proto.sds_config {
        None => SecretSource::Static,
        config => SecretSource::Dynamic(config_source::of_secrets(
            &cx.field("sds_config"),
            config.as_ref(),
        )?),
    };
    Some(SdsSecret {
        name: proto.name.as_str().into(),
        source,
    })
}
