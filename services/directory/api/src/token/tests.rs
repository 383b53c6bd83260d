use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::{Scope, SessionToken};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn claims(session: u128) -> Claims {
    Claims {
        account: AccountId(7),
        shard: ShardName::default(),
        epoch: ShardEpoch(2),
        quota: Quota { bytes: 10, messages: 0 },
        scopes: [Scope::Imap, Scope::Submit].into_iter().collect(),
        workload: "imap-gateway".to_owned(),
        session: Uuid::from_u128(session),
        issued_at: at(1_000),
        expires_at: at(1_000) + TimeDelta::from_std(TOKEN_LIFE).unwrap(),
    }
}

#[test]
fn token_proves_its_claims_until_it_expires() {
    let key = SigningKey::generate("k1").unwrap();
    let token = TokenSigner::new(&key).sign(&claims(1)).unwrap();
    let verifier = TokenVerifier::new(&[key.public().clone()]);
    for now in [1_000, 1_899] {
        assert_eq!(*verifier.verify(&token, at(now)).unwrap(), claims(1));
    }
    assert!(matches!(verifier.verify(&token, at(1_900)), Err(TokenError::Expired)));
    // Also a verifier that never saw it while it was good.
    let fresh = TokenVerifier::new(&[key.public().clone()]);
    assert!(matches!(fresh.verify(&token, at(1_900)), Err(TokenError::Expired)));
}

#[test]
fn tampered_claims_are_refused() {
    let key = SigningKey::generate("k1").unwrap();
    let token = TokenSigner::new(&key).sign(&claims(1)).unwrap();
    let parts: Vec<&str> = token.0.split('.').collect();
    let body = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let forged = body.replace("\"account\":7", "\"account\":8");
    assert_ne!(forged, body);
    let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(forged), parts[2]);
    let verifier = TokenVerifier::new(&[key.public().clone()]);
    let answer = verifier.verify(&SessionToken(forged.into()), at(1_000));
    assert!(matches!(answer, Err(TokenError::Invalid)));
    assert_eq!(verifier.cached(), 0);
}

#[test]
fn unsigned_and_symmetric_algorithms_are_refused() {
    let key = SigningKey::generate("k1").unwrap();
    let verifier = TokenVerifier::new(&[key.public().clone()]);
    let body = URL_SAFE_NO_PAD.encode(serde_json::json!({"aud": SESSION_AUDIENCE, "account": 7}).to_string());
    for header in [r#"{"alg":"none","kid":"k1"}"#, r#"{"alg":"HS256","kid":"k1"}"#] {
        let token = format!("{}.{body}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode([0; 32]));
        assert!(verifier.verify(&SessionToken(token.into()), at(1_000)).is_err());
    }
    for garbage in ["", ".", "..", "a.b.c", &"x".repeat(100_000)] {
        assert!(verifier.verify(&SessionToken(garbage.into()), at(1_000)).is_err());
    }
}

#[test]
fn both_keys_are_trusted_during_a_rotation_and_the_old_one_not_after_it() {
    let (old, new) = (SigningKey::generate("old").unwrap(), SigningKey::generate("new").unwrap());
    let (by_old, by_new) =
        (TokenSigner::new(&old).sign(&claims(1)).unwrap(), TokenSigner::new(&new).sign(&claims(2)).unwrap());
    let during = TokenVerifier::new(&[old.public().clone(), new.public().clone()]);
    assert_eq!(during.verify(&by_old, at(1_000)).unwrap().session, Uuid::from_u128(1));
    assert_eq!(during.verify(&by_new, at(1_000)).unwrap().session, Uuid::from_u128(2));
    let after = TokenVerifier::new(&[new.public().clone()]);
    assert!(matches!(after.verify(&by_old, at(1_000)), Err(TokenError::UnknownKey)));
    // Another key that takes the old one's id does not vouch for its tokens.
    let impostor = SigningKey::generate("old").unwrap();
    let tricked = TokenVerifier::new(&[impostor.public().clone()]);
    assert!(matches!(tricked.verify(&by_old, at(1_000)), Err(TokenError::Invalid)));
}

#[test]
fn a_token_for_another_audience_is_no_session_token() {
    let key = SigningKey::generate("k1").unwrap();
    let handle = TokenSigner::new(&key).sign_for("staffetta-handle", &claims(1)).unwrap();
    let verifier = TokenVerifier::new(&[key.public().clone()]);
    assert!(matches!(
        verifier.verify(&SessionToken(handle.clone().into()), at(1_000)),
        Err(TokenError::Invalid)
    ));
    let keys = PublicKeys::new(&[key.public().clone()]);
    assert_eq!(keys.verify::<Claims>("staffetta-handle", &handle).unwrap(), claims(1));
    let token = TokenSigner::new(&key).sign(&claims(1)).unwrap();
    assert!(keys.verify::<Claims>("staffetta-handle", &token.0).is_err());
}

#[test]
fn cache_is_bounded_and_answers_the_same_claims() {
    let key = SigningKey::generate("k1").unwrap();
    let signer = TokenSigner::new(&key);
    let verifier = TokenVerifier::with_capacity(&[key.public().clone()], 8);
    for session in 0..50 {
        let token = signer.sign(&claims(session)).unwrap();
        let first = verifier.verify(&token, at(1_000)).unwrap();
        assert!(Arc::ptr_eq(&first, &verifier.verify(&token, at(1_000)).unwrap()));
        assert!(verifier.cached() <= 8, "{} tokens", verifier.cached());
    }
}

#[test]
fn keys_survive_their_files_and_the_private_one_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate("2026-11").unwrap();
    key.write(folder.path()).unwrap();
    let mode = std::fs::metadata(folder.path().join("2026-11.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = SigningKey::read(folder.path(), "2026-11").unwrap();
    let token = TokenSigner::new(&read).sign(&claims(1)).unwrap();
    let verifier = TokenVerifier::from_directory(folder.path()).unwrap();
    assert_eq!(*verifier.verify(&token, at(1_000)).unwrap(), claims(1));
    assert!(SigningKey::read(folder.path(), "../2026-11").is_err());
    assert!(TokenVerifier::from_directory(&folder.path().join("absent")).is_err());
}

#[test]
fn rfc8410_public_key_is_understood() {
    // RFC 8410 section 10.1.
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let key = PublicKey::from_pem("rfc", pem).unwrap();
    assert_eq!(key.to_pem(), pem);
    // RFC 8410 section 10.3: its private key, PKCS#8 version 1.
    let private = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    let private = base64::engine::general_purpose::STANDARD.decode(private).unwrap();
    assert_eq!(SigningKey::from_pkcs8("rfc", &private).unwrap().public().octets, key.octets);
    assert!(
        PublicKey::from_pem("rfc", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----").is_err()
    );
}
