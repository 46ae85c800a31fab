// SPDX-License-Identifier: Apache-2.0
//! TLS and mutual TLS on both sides, with certificates made here: the right one trades, every wrong one is refused.
mod street;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use street::{Peer, Serving, Street};

const FIX: &str = "FIX.4.4";

/// An authority and what it has signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Paper {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str) -> Paper {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        Paper { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add(CertificateDer::from_pem_slice(self.0.pem().as_bytes()).unwrap()).unwrap();
        store
    }
}

impl Paper {
    fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        (vec![certificate], PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap())
    }

    fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.parts().0[0].as_ref());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn file(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// `"TABLE":{...}` of an edge that shows `paper` and trusts `authority`.
fn table(street: &Street, name: &str, paper: &Paper, authority: Option<&Authority>, server_name: Option<&str>) -> String {
    let path = |what: &str, text: &str| file(&street.directory, &format!("{name}-{what}.pem"), text).display().to_string();
    let quoted = |text: Option<String>| text.map_or("null".to_owned(), |text| format!("\"{text}\""));
    format!(
        r#","{name}":{{"certificate":"{}","key":"{}","authorities":{},"server_name":{}}}"#,
        path("certificate", &paper.certificate),
        path("key", &paper.key),
        quoted(authority.map(|a| path("authorities", &a.0.pem()))),
        quoted(server_name.map(str::to_owned)),
    )
}

fn client(serving: &Serving, trusts: &Authority, shows: Option<&Paper>) -> Peer {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(trusts.roots());
    let config = match shows.map(Paper::parts) {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
    };
    let stream = TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("gate.example").unwrap()).unwrap();
    Peer::over(Box::new(StreamOwned::new(connection, stream)), FIX, "EMS", 1)
}

fn venue(street: &Street, shows: &Paper, trusts: &Authority) -> Peer {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusts.roots()), Arc::clone(&provider)).build().unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let (chain, key) = shows.parts();
    let config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap();
    let (stream, _) = street.venue.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    Peer::over(Box::new(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)), FIX, "VENUE", 1)
}

fn log_on(peer: &mut Peer) {
    peer.say("35=A|", "98=0|108=30|");
    peer.expect("35=A|");
}

#[test]
fn orders_pass_under_mutual_tls_on_both_sides() {
    let mut street = Street::new("tls-both", FIX);
    let (ours, theirs) = (Authority::new(), Authority::new());
    let desk = ours.sign("desk.example");
    street.more = table(&street, "listen_tls", &ours.sign("gate.example"), Some(&ours), None)
        + &table(&street, "venue_tls", &theirs.sign("gate.example"), Some(&theirs), Some("venue.example"));
    street.more_of_ems = format!(r#","certificate_sha256":"{}""#, desk.fingerprint());
    let serving = street.serve();
    let mut venue = venue(&street, &theirs.sign("venue.example"), &theirs);
    venue.expect("35=A|");
    venue.say("35=A|", "98=0|108=30|");
    // Answered, so the Logon was taken before.
    venue.expect_silence();
    let mut ems = client(&serving, &ours, Some(&desk));
    log_on(&mut ems);
    ems.order("A1", 1, 10, "4800.00");
    venue.expect("35=D|11=A1|38=10|");
    venue.report("A1", "0", "0", "14=0|151=10|");
    ems.expect("35=8|11=A1|39=0|");
    ems.order("A2", 1, 200, "4800.00");
    ems.expect("35=8|11=A2|39=8|");
    serving.stop();
}

#[test]
fn a_message_larger_than_a_record_of_tls_passes_whole() {
    let mut street = Street::new("tls-large", FIX);
    let ours = Authority::new();
    street.more = table(&street, "listen_tls", &ours.sign("gate.example"), None, None);
    let serving = street.serve();
    let mut venue = street.venue(1);
    let mut ems = client(&serving, &ours, None);
    log_on(&mut ems);
    let text = "x".repeat(40_000);
    for n in 0..20 {
        ems.say("35=B|", &format!("148=N{n}|58={text}|"));
    }
    for n in 0..20 {
        assert_eq!(Peer::value(&venue.expect(&format!("35=B|148=N{n}|")), 58), text);
    }
    venue.say("35=B|", &format!("148=BACK|58={text}|"));
    assert_eq!(Peer::value(&ems.expect("35=B|148=BACK|"), 58), text);
    serving.stop();
}

#[test]
fn a_client_without_the_right_certificate_is_refused() {
    let (ours, stranger) = (Authority::new(), Authority::new());
    let (desk, other, wrong) = (ours.sign("desk.example"), ours.sign("other.example"), stranger.sign("desk.example"));
    let cases = [
        ("tls-nothing", None, "a connection is refused"),
        ("tls-stranger", Some(&wrong), "a connection is refused"),
        ("tls-other", Some(&other), "another certificate than that session's"),
    ];
    for (place, shown, told) in cases {
        let mut street = Street::new(place, FIX);
        street.more = table(&street, "listen_tls", &ours.sign("gate.example"), Some(&ours), None);
        street.more_of_ems = format!(r#","certificate_sha256":"{}""#, desk.fingerprint());
        let serving = street.serve();
        assert!(!client(&serving, &ours, shown).can_log_on(), "{place}");
        assert!(serving.line().contains(told), "{place}");
        log_on(&mut client(&serving, &ours, Some(&desk)));
        serving.stop();
    }
}

#[test]
fn plain_text_is_refused_where_tls_is_spoken() {
    let mut street = Street::new("tls-plain", FIX);
    let ours = Authority::new();
    street.more = table(&street, "listen_tls", &ours.sign("gate.example"), None, None);
    let serving = street.serve();
    let mut plain = Peer::new(TcpStream::connect(("127.0.0.1", serving.port)).unwrap(), FIX, "EMS", 1);
    assert!(!plain.can_log_on());
    serving.stop();
}

#[test]
fn a_venue_with_another_name_or_another_authority_gets_no_logon() {
    let (theirs, stranger) = (Authority::new(), Authority::new());
    for (place, shown) in [("tls-name", theirs.sign("elsewhere.example")), ("tls-authority", stranger.sign("venue.example"))] {
        let mut street = Street::new(place, FIX);
        street.more = table(&street, "venue_tls", &theirs.sign("gate.example"), Some(&theirs), Some("venue.example"));
        let serving = street.serve();
        let mut venue = venue(&street, &shown, &theirs);
        assert!(!venue.hears_anything(), "{place}");
        assert!(serving.line().contains("a connection is refused"), "{place}");
        serving.stop();
    }
}

#[test]
fn files_that_do_not_fit_stop_the_start() {
    let ours = Authority::new();
    let street = Street::new("tls-files", FIX);
    let garbage = file(&street.directory, "garbage.pem", "no certificate");
    let good = file(&street.directory, "good.pem", &ours.0.pem());
    let files = |certificate: Option<&PathBuf>, key: Option<&PathBuf>| pretrade_fix::tls::TlsFiles {
        certificate: certificate.cloned(),
        key: key.cloned(),
        authorities: None,
        server_name: None,
    };
    for (files, what) in [
        (files(None, None), "needs a certificate and a key"),
        (files(Some(&good), None), "go together"),
        (files(Some(&good), Some(&garbage)), "garbage.pem"),
        (files(Some(&street.directory.join("absent.pem")), Some(&good)), "absent.pem"),
    ] {
        // A key is asked for first where both are there, so the file at fault is named.
        let problem = pretrade_fix::tls::Tls::acceptor(&files).unwrap_err();
        assert!(problem.contains(what) || problem.contains("good.pem"), "{problem}");
    }
    assert!(pretrade_fix::tls::Tls::initiator(&files(None, None)).unwrap_err().contains("needs authorities"));
}

impl Peer {
    /// False where the line ends before a Logon is answered.
    fn can_log_on(&mut self) -> bool {
        self.try_say("35=A|", "98=0|108=30|") && self.hears_anything()
    }
}
