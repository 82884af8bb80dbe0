//! Digest authentication (RFC 7616, RFC 8760; RFC 3261 §22): answers to challenges, and challenges.

mod client;
mod server;

pub(crate) use client::{Authenticator, Covered, Keyring, Realms};
pub(crate) use server::{Challenger, Verdict};

use md5::{Digest, Md5};
use sha2::{Sha256, Sha512_256};

use crate::DigestAlgorithm;

impl DigestAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Md5, Self::Sha256, Self::Sha512_256];
        all.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    fn hex_of(self, bytes: impl AsRef<[u8]>) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(bytes)),
            Self::Sha256 => hex(&Sha256::digest(bytes)),
            Self::Sha512_256 => hex(&Sha512_256::digest(bytes)),
        }
    }
}

fn ha1(algorithm: DigestAlgorithm, username: &str, realm: &str, password: &str) -> String {
    algorithm.hex_of(format!("{username}:{realm}:{password}"))
}

/// RFC 7616 §3.4.1 over A2 (§3.4.3); without qop that of RFC 2069.
fn response(algorithm: DigestAlgorithm, ha1: &str, nonce: &str, qop: Option<(&str, &str, &str)>, a2: &str) -> String {
    let ha2 = algorithm.hex_of(a2);
    match qop {
        Some((nc, cnonce, qop)) => algorithm.hex_of(format!("{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}")),
        None => algorithm.hex_of(format!("{ha1}:{nonce}:{ha2}")),
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::message::Message;
    use crate::message::headers::Headers;
    use crate::{Credentials, Registrar};

    fn with_headers<T>(fields: &str, then: impl FnOnce(&Headers<'_>) -> T) -> T {
        let text = format!("SIP/2.0 401 Unauthorized\r\n{fields}\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!("{text}") };
        then(&response.headers)
    }

    struct Client {
        keyring: Keyring,
        authenticator: Authenticator,
    }

    impl Client {
        fn challenged(&mut self, status: u16, headers: &Headers<'_>) -> bool {
            self.authenticator.challenged(&mut self.keyring, status, headers, Realms::Any)
        }

        fn headers(&mut self, method: &str, uri: &str, body: &[u8], cnonce: &str) -> Vec<(String, String)> {
            self.authenticator.headers(&mut self.keyring, Covered { method, uri, body }, cnonce)
        }

        fn succeeded(&mut self, fields: &str) {
            with_headers(fields, |headers| self.authenticator.succeeded(&mut self.keyring, headers));
        }
    }

    fn client() -> Client {
        let credentials = Credentials::new("Mufasa", "Circle of Life");
        let authenticator = Authenticator::new(vec!["192.0.2.2".parse().unwrap()], Some(credentials));
        Client { keyring: Keyring::default(), authenticator }
    }

    fn header(client: &mut Client) -> String {
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        client.headers("GET", "/dir/index.html", &[], cnonce)[0].1.clone()
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        // §3.9.1
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut client = client();
            let field = format!(
                "WWW-Authenticate: Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{nonce}\""
            );
            assert!(with_headers(&field, |headers| client.challenged(401, headers)));
            let value = header(&mut client);
            assert!(value.contains(&format!("response=\"{response}\"")), "{value}");
            assert!(value.contains("nc=00000001") && value.contains("qop=auth,"), "{value}");
            assert!(header(&mut client).contains("nc=00000002"));
        }
    }

    // RFC 8760 §2.4.
    #[test]
    fn the_topmost_supported_challenge_is_answered() {
        let mut client = client();
        let fields = "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", algorithm=SHA-999\r\n\
            WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"3\"";
        assert!(with_headers(fields, |headers| client.challenged(401, headers)));
        let value = header(&mut client);
        assert!(
            value.contains("nonce=\"2\"") && value.contains("algorithm=SHA-256") && !value.contains("qop"),
            "{value}"
        );
    }

    #[test]
    fn refused_credentials_are_not_sent_again() {
        let challenge =
            |nonce: &str, more: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"{more}");
        let mut client = client();
        let mut challenged =
            |nonce, more| with_headers(&challenge(nonce, more), |headers| client.challenged(401, headers));
        assert!(challenged("1", ""));
        assert!(challenged("2", ", stale=true"));
        assert!(!challenged("3", ""));
        let mut nobody = Client { keyring: Keyring::default(), authenticator: Authenticator::without_credentials() };
        assert!(!with_headers(&challenge("1", ""), |headers| nobody.challenged(401, headers)));
    }

    // RFC 3261 §22.1: credentials are for the realms of the protection space that they belong to.
    #[test]
    fn a_challenge_of_a_realm_that_is_not_the_trunks_is_not_answered() {
        let asked = |client: &mut Client, realm, nonce, realms| {
            let challenge = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\"");
            with_headers(&challenge, |headers| {
                client.authenticator.challenged(&mut client.keyring, 401, headers, realms)
            })
        };
        let mut any = client();
        assert!(!asked(&mut any, "trunk", 1, Realms::Known));
        assert!(asked(&mut any, "trunk", 1, Realms::Any));
        any.succeeded("X: y");
        assert!(!asked(&mut any, "callee", 2, Realms::Known));
        assert!(!asked(&mut any, "trunk\", algorithm=SHA-256, qop=\"auth", 2, Realms::Known), "another algorithm");
        assert!(asked(&mut any, "trunk", 2, Realms::Known));
        any.succeeded("X: y");
        let of_proxy = "Proxy-Authenticate: Digest realm=\"proxy\", nonce=\"1\"";
        assert!(with_headers(of_proxy, |headers| any.challenged(407, headers)));
        any.succeeded("X: y");
        assert!(!asked(&mut any, "trunk", 3, Realms::Known), "from behind the proxy");

        let credentials = Credentials { realms: vec!["trunk".into()], ..Credentials::new("Mufasa", "Circle of Life") };
        let authenticator = Authenticator::new(vec!["192.0.2.2".parse().unwrap()], Some(credentials));
        let mut only = Client { keyring: Keyring::default(), authenticator };
        assert!(!asked(&mut only, "callee", 1, Realms::Any));
        assert!(asked(&mut only, "trunk", 1, Realms::Any));
    }

    #[test]
    fn a_nonce_of_an_earlier_request_may_age_without_stale() {
        let challenge = |nonce: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"");
        let mut client = client();
        assert!(with_headers(&challenge("1"), |headers| client.challenged(401, headers)));
        client.succeeded("X: y");
        assert!(with_headers(&challenge("2"), |headers| client.challenged(401, headers)));
        assert!(!with_headers(&challenge("2"), |headers| client.challenged(401, headers)));
    }

    #[test]
    fn our_challenges_are_met_by_our_answers_until_the_nonce_is_old() {
        let registrar = Registrar {
            realm: "trunk \"x\"".into(),
            users: vec![("Mufasa".into(), "Circle of Life".into())],
            algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
        };
        let (start, source) = (Instant::now(), "192.0.2.9".parse().unwrap());
        let mut challenger = Challenger::new([7; 32]);
        let challenges = challenger.challenges(start, &registrar, source, false);
        let fields = challenges.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\r\n");
        let mut client = client();
        assert!(with_headers(&fields, |headers| client.challenged(401, headers)));
        let (name, value) = client.headers("REGISTER", "sip:x", &[], "c").remove(0);
        let field = format!("{name}: {value}");
        let mut verify = |at, source, method| {
            with_headers(&field, |headers| challenger.verify(at, &registrar, source, method, "sip:x", headers))
        };
        assert_eq!(verify(start, source, "REGISTER"), Verdict::Passed("Mufasa".into()));
        assert_eq!(verify(start, source, "REGISTER"), Verdict::Challenge { stale: true }, "that count is used up");
        assert_eq!(verify(start, source, "INVITE"), Verdict::Challenge { stale: false });
        assert_eq!(verify(start, "192.0.2.10".parse().unwrap(), "REGISTER"), Verdict::Challenge { stale: false });
        let later = start + server::NONCE_LIFETIME + Duration::from_millis(1);
        assert_eq!(verify(later, source, "REGISTER"), Verdict::Challenge { stale: true });
    }

    #[test]
    fn nonces_whose_use_is_forgotten_are_no_longer_good() {
        let registrar = Registrar {
            realm: "r".into(),
            users: vec![("Mufasa".into(), "Circle of Life".into())],
            algorithms: vec![DigestAlgorithm::Md5],
        };
        let (start, source) = (Instant::now(), "192.0.2.9".parse().unwrap());
        let mut challenger = Challenger::new([7; 32]);
        let proof = |challenger: &mut Challenger| {
            let (name, value) = challenger.challenges(start, &registrar, source, false).remove(0);
            let (name, value) = challenged(&format!("{name}: {value}")).headers("INVITE", "sip:x", &[], "c").remove(0);
            format!("{name}: {value}")
        };
        let verify = |challenger: &mut Challenger, field: &str| {
            with_headers(field, |headers| challenger.verify(start, &registrar, source, "INVITE", "sip:x", headers))
        };
        let (first, unused) = (proof(&mut challenger), proof(&mut challenger));
        assert!(matches!(verify(&mut challenger, &first), Verdict::Passed(_)));
        for _ in 0..4096 {
            let next = proof(&mut challenger);
            assert!(matches!(verify(&mut challenger, &next), Verdict::Passed(_)));
        }
        assert_eq!(verify(&mut challenger, &first), Verdict::Challenge { stale: true });
        assert!(matches!(verify(&mut challenger, &unused), Verdict::Passed(_)), "younger than what was forgotten");
    }

    fn challenged(fields: &str) -> Client {
        let mut client = client();
        assert!(with_headers(fields, |headers| client.challenged(401, headers)), "{fields}");
        client
    }

    fn of(value: &str, name: &str) -> String {
        value.split(", ").find_map(|part| part.strip_prefix(&format!("{name}="))).unwrap_or_default().to_owned()
    }

    #[test]
    fn sha_512_256_is_computed_and_named() {
        assert_eq!(
            DigestAlgorithm::Sha512_256.hex_of("abc"),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23",
            "FIPS 180-4"
        );
        let mut client =
            challenged("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-512-256");
        assert_eq!(of(&header(&mut client), "algorithm"), "SHA-512-256");
    }

    #[test]
    fn a_session_key_is_made_once_and_kept_with_its_cnonce() {
        let field = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=MD5-SESS";
        let mut client = challenged(field);
        let first = client.headers("REGISTER", "sip:x", &[], "one").remove(0).1;
        let second = client.headers("REGISTER", "sip:x", &[], "two").remove(0).1;
        assert_eq!((of(&first, "algorithm"), of(&first, "cnonce")), ("MD5-sess".into(), "\"one\"".into()));
        assert_eq!((of(&second, "nc"), of(&second, "cnonce")), ("00000002".into(), "\"one\"".into()));
        let md5 = |text: &str| DigestAlgorithm::Md5.hex_of(text);
        let key = md5(&format!("{}:n:one", md5("Mufasa:r:Circle of Life")));
        let expected = md5(&format!("{key}:n:00000002:one:auth:{}", md5("REGISTER:sip:x")));
        assert_eq!(of(&second, "response"), format!("\"{expected}\""));
    }

    // RFC 7616 §3.4.1.
    #[test]
    fn auth_int_covers_the_body_and_is_taken_only_alone() {
        let mut client = challenged("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"");
        let value = client.headers("INVITE", "sip:x", b"v=0", "c").remove(0).1;
        let md5 = |text: &str| DigestAlgorithm::Md5.hex_of(text);
        let a2 = md5(&format!("INVITE:sip:x:{}", md5("v=0")));
        let expected = md5(&format!("{}:n:00000001:c:auth-int:{a2}", md5("Mufasa:r:Circle of Life")));
        assert_eq!((of(&value, "qop"), of(&value, "response")), ("auth-int".into(), format!("\"{expected}\"")));
    }

    // RFC 7616 §3.5.
    #[test]
    fn the_next_nonce_of_an_answer_is_used() {
        let mut client = challenged("WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"");
        header(&mut client);
        client.succeeded("Authentication-Info: qop=auth, nextnonce=\"n2\"");
        let value = header(&mut client);
        assert!(value.contains("nonce=\"n2\"") && value.contains("nc=00000001"), "{value}");
    }

    #[test]
    fn each_realm_of_several_is_answered() {
        let mut client = challenged(
            "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\", algorithm=SHA-256\r\n\
             WWW-Authenticate: Digest realm=\"a\", nonce=\"2\"\r\nWWW-Authenticate: Digest realm=\"b\", nonce=\"3\"",
        );
        let values = client.headers("INVITE", "sip:x", &[], "c");
        let nonces: Vec<_> = values.iter().map(|(_, value)| of(value, "nonce")).collect();
        assert_eq!(nonces, ["\"1\"", "\"3\""]);
    }

    #[test]
    fn what_one_trunk_gave_is_not_shown_to_another_and_old_ones_are_forgotten() {
        let mut client = challenged("WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"");
        let credentials = Credentials::new("Mufasa", "Circle of Life");
        let at = |address: [u8; 4]| Authenticator::new(vec![address.into()], Some(credentials.clone()));
        let covered = Covered { method: "INVITE", uri: "sip:x", body: &[] };
        let mut shown = |address| at(address).headers(&mut client.keyring, covered, "c").len();
        assert_eq!((shown([192, 0, 2, 2]), shown([192, 0, 2, 3])), (1, 0));
        for last in 0..=255 {
            shown([198, 51, 100, last]);
        }
        assert_eq!(shown([192, 0, 2, 2]), 0);
    }
}
