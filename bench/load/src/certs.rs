//! An authority and the two sidecars' certificates, in files.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
};

use crate::Error;
use crate::args::Args;

/// Writes `ca.pem`, and `NAME.pem` with `NAME.key` for `client` and `server`, into --out. Keys are
/// ECDSA P-256; each name is a SPIFFE identity, `spiffe://bench/NAME`.
pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let out: PathBuf = args.need("out")?;
    let mut authority = named("bench authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    std::fs::write(out.join("ca.pem"), authority.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(authority, key);
    for name in ["client", "server"] {
        let mut params = named(name);
        let identity = format!("spiffe://bench/{name}").try_into()?;
        params.subject_alt_names = vec![SanType::URI(identity)];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        std::fs::write(out.join(format!("{name}.pem")), certificate.pem())?;
        std::fs::write(out.join(format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(())
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
