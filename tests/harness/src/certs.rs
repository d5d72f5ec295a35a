//! Certificates for tests, in files as proxies read them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize,
    SanType, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;

/// An authority, and what it signs.
pub struct Authority {
    /// Its own certificate.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The chain, PEM.
    pub chain: String,
    /// The key, PEM.
    pub key: String,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// An authority with a name of its own.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same, changed before it signs itself.
    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (key, mut params) = authority();
        change(&mut params);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Its key, PEM.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Another certificate of its own, PEM: of the same key, with what is put in here.
    pub fn again(&self, change: impl FnOnce(&mut CertificateParams)) -> String {
        let mut params = CertificateParams::default();
        change(&mut params);
        params.self_signed(self.issuer.key()).unwrap().pem()
    }

    /// A certificate for host names and URIs (which have a `://`); the first is its subject.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| {})
    }

    /// The same, changed before it is signed.
    pub fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        self.issue_for(&KeyPair::generate().unwrap(), names, change)
    }

    /// The same with an RSA key.
    pub fn issue_rsa(&self, names: &[&str]) -> Issued {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        self.issue_for(&key, names, |_| {})
    }

    fn issue_for(
        &self,
        key: &KeyPair,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let subject = names.first().copied().unwrap_or_default();
        params.distinguished_name.push(DnType::CommonName, subject);
        for name in names {
            let text = (*name).try_into().unwrap();
            params.subject_alt_names.push(match name.contains("://") {
                true => SanType::URI(text),
                false => SanType::DnsName(text),
            });
        }
        change(&mut params);
        Issued {
            chain: params.signed_by(key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// An authority below it, and its certificate.
    pub fn intermediate(&self) -> (Self, String) {
        self.intermediate_with(|_| {})
    }

    /// The same, changed before it is signed.
    pub fn intermediate_with(&self, change: impl FnOnce(&mut CertificateParams)) -> (Self, String) {
        let (key, mut params) = authority();
        change(&mut params);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let below = Self {
            issuer: Issuer::new(params, key),
            pem: pem.clone(),
        };
        (below, pem)
    }

    /// A list of revoked certificates by their numbers, PEM.
    pub fn revoke(&self, serials: &[u64]) -> String {
        self.revoke_with(serials, |_| {})
    }

    /// The same, changed before it is signed.
    pub fn revoke_with(
        &self,
        serials: &[u64],
        change: impl FnOnce(&mut CertificateRevocationListParams),
    ) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let mut params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        change(&mut params);
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// What identifies its key to those who look for who signed something.
    pub fn key_id(&self) -> KeyIdMethod {
        let id = CertificateParams::default().key_identifier(self.issuer.key());
        KeyIdMethod::PreSpecified(id)
    }
}

/// A key, and what an authority's certificate says.
fn authority() -> (KeyPair, CertificateParams) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (KeyPair::generate().unwrap(), params)
}

/// No two authorities have one name.
fn name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("authority {}", NUMBER.fetch_add(1, Relaxed))
}

/// A folder with certificates.
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts `NAME.crt` and `NAME.key` there.
    pub fn put(&self, name: &str, issued: &Issued) {
        self.write(&format!("{name}.crt"), &issued.chain);
        self.write(&format!("{name}.key"), &issued.key);
    }

    /// Puts a file there; what reads it sees the old text or the new one.
    pub fn write(&self, name: &str, text: &str) {
        let next = self.path(&format!(".{name}.next"));
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, self.path(name)).unwrap();
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        self.0.path()
    }
}
