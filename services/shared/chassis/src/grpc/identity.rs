//! Which workload calls: by its certificate, or by the shared workload key.

use http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq as _;
use tonic::{Request, Status};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::Secret;

/// Names the caller.
pub const WORKLOAD_HEADER: HeaderName = HeaderName::from_static("x-staffetta-workload");
/// Proves it, where certificates do not.
pub const WORKLOAD_KEY_HEADER: HeaderName = HeaderName::from_static("x-staffetta-workload-key");
/// URI names of workload certificates: this, then the workload.
const SPIFFE: &str = "spiffe://staffetta/";
const MAX_NAME: usize = 64;

/// The proven name of the calling workload, in the extensions of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadIdentity(pub String);

/// The caller of `request`, if it is one of `allowed`.
///
/// # Errors
/// `UNAUTHENTICATED` for a caller without identity, `PERMISSION_DENIED` for another workload.
pub fn require_workload<T>(request: &Request<T>, allowed: &[&str]) -> Result<WorkloadIdentity, Status> {
    let Some(identity) = request.extensions().get::<WorkloadIdentity>() else {
        return Err(Status::unauthenticated("this call needs a workload identity"));
    };
    if allowed.contains(&identity.0.as_str()) {
        return Ok(identity.clone());
    }
    Err(Status::permission_denied(format!("workload {} may not do this", identity.0)))
}

/// How callers prove themselves.
#[derive(Debug, Clone)]
pub(super) struct Authenticator {
    keys: Vec<Secret>,
}

impl Authenticator {
    pub(super) fn new(keys: &[Secret]) -> Self {
        Self { keys: keys.iter().filter(|key| !key.is_empty()).cloned().collect() }
    }

    /// The caller, if it claims to be one. Takes the key out of the headers: nobody further in needs it.
    pub(super) fn identify(
        &self,
        headers: &mut HeaderMap,
        certified: Option<&WorkloadIdentity>,
    ) -> Result<Option<WorkloadIdentity>, Status> {
        let key = headers.remove(WORKLOAD_KEY_HEADER);
        let claimed = headers.remove(WORKLOAD_HEADER);
        if let Some(certified) = certified {
            return Ok(Some(certified.clone()));
        }
        let (Some(key), Some(claimed)) = (key, claimed) else { return Ok(None) };
        // Every key is compared, so that the time says nothing about which one was nearly right.
        let good = self.keys.iter().fold(subtle::Choice::from(0), |good, known| {
            good | known.expose().as_bytes().ct_eq(key.as_bytes())
        });
        if !bool::from(good) {
            return Err(Status::unauthenticated("the workload key is wrong"));
        }
        let name = claimed.to_str().ok().filter(|name| is_name(name));
        let name = name.ok_or_else(|| Status::unauthenticated("the workload name is none"))?;
        Ok(Some(WorkloadIdentity(name.to_owned())))
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The workload that a verified client certificate names: `spiffe://staffetta/<workload>`, else the first
/// label of its first DNS name.
pub(super) fn certified(certificate: &[u8]) -> Option<WorkloadIdentity> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    let by_uri = names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => uri.strip_prefix(SPIFFE),
        _ => None,
    });
    let by_dns = names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) => name.split('.').next(),
        _ => None,
    });
    by_uri.or(by_dns).filter(|name| is_name(name)).map(|name| WorkloadIdentity(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, key: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(WORKLOAD_HEADER, name.parse().unwrap());
        headers.insert(WORKLOAD_KEY_HEADER, key.parse().unwrap());
        headers
    }

    #[test]
    fn a_key_proves_a_name_and_never_stays() {
        let authenticator = Authenticator::new(&[Secret::new("old"), Secret::new("new"), Secret::default()]);
        for key in ["old", "new"] {
            let mut headers = headers("ctl", key);
            let identity = authenticator.identify(&mut headers, None).unwrap();
            assert_eq!(identity, Some(WorkloadIdentity("ctl".to_owned())));
            assert!(headers.is_empty());
        }
        assert!(authenticator.identify(&mut headers("ctl", "no"), None).is_err());
        assert!(authenticator.identify(&mut headers("ctl", ""), None).is_err(), "an unset key opens nothing");
        assert!(authenticator.identify(&mut headers("no name", "new"), None).is_err());
        assert_eq!(authenticator.identify(&mut HeaderMap::new(), None).unwrap(), None);
        let certified = WorkloadIdentity("outbound".to_owned());
        let identity = authenticator.identify(&mut headers("ctl", "new"), Some(&certified)).unwrap();
        assert_eq!(identity, Some(certified), "a certificate outweighs a header");
    }

    #[test]
    fn only_allowed_workloads_pass() {
        let mut request = Request::new(());
        let code =
            |request: &Request<()>| require_workload(request, &["ctl"]).map_err(|status| status.code());
        assert_eq!(code(&request), Err(tonic::Code::Unauthenticated));
        request.extensions_mut().insert(WorkloadIdentity("pop3-gateway".to_owned()));
        assert_eq!(code(&request), Err(tonic::Code::PermissionDenied));
        request.extensions_mut().insert(WorkloadIdentity("ctl".to_owned()));
        assert!(code(&request).is_ok());
    }
}
