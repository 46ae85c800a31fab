// SPDX-License-Identifier: Apache-2.0
//! TLS and mutual TLS on either side (rustls): certificates read once at the start, one connection per wire.
//!
//! Nothing falls back to plain text: a side that has certificates speaks TLS 1.2 or 1.3 or not at all.
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where certificates of one side lie, PEM files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Our certificate, its chain behind it; only an initiator may go without.
    pub certificate: Option<PathBuf>,
    /// Our private key.
    pub key: Option<PathBuf>,
    /// Authorities that the counterparty's certificate must come from; an acceptor without asks for none.
    pub authorities: Option<PathBuf>,
    /// Name in the venue's certificate; for an initiator.
    pub server_name: Option<String>,
}

/// One side, ready to speak.
#[derive(Clone)]
pub enum Tls {
    /// Towards those who connect.
    Acceptor(Arc<ServerConfig>),
    /// Towards the venue of that name.
    Initiator(Arc<ClientConfig>, ServerName<'static>),
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Tls::Acceptor(_)) { "Tls acceptor" } else { "Tls initiator" })
    }
}

impl Tls {
    /// The acceptor's side; with `authorities` a counterparty without a certificate of theirs is refused.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit.
    pub fn acceptor(files: &TlsFiles) -> Result<Self, String> {
        let (chain, key) = own(files)?.ok_or("TLS of an acceptor needs a certificate and a key")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let builder = match &files.authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider).build().map_err(|e| e.to_string())?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        builder.with_single_cert(chain, key).map(|config| Tls::Acceptor(Arc::new(config))).map_err(|e| e.to_string())
    }

    /// The initiator's side: the venue must show a certificate of `authorities` for `server_name`.
    ///
    /// # Errors
    /// As [`Tls::acceptor`].
    pub fn initiator(files: &TlsFiles) -> Result<Self, String> {
        let authorities = files.authorities.as_ref().ok_or("TLS towards the venue needs authorities to hold its certificate against")?;
        let name = files.server_name.clone().ok_or("TLS towards the venue needs the server_name in its certificate")?;
        let name = ServerName::try_from(name.clone()).map_err(|e| format!("server_name {name:?}: {e}"))?;
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?.with_root_certificates(roots(authorities)?);
        let config = match own(files)? {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(|e| e.to_string())?,
        };
        Ok(Tls::Initiator(Arc::new(config), name))
    }

    /// A new connection of this side.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn connection(&self) -> Result<Connection, String> {
        let mut connection: Connection = match self {
            Tls::Acceptor(config) => ServerConnection::new(Arc::clone(config)).map_err(|e| e.to_string())?.into(),
            Tls::Initiator(config, name) => ClientConnection::new(Arc::clone(config), name.clone()).map_err(|e| e.to_string())?.into(),
        };
        connection.set_buffer_limit(None);
        Ok(connection)
    }
}

fn own(files: &TlsFiles) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, String> {
    match (&files.certificate, &files.key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key).map_err(|e| format!("{}: {e}", key.display()))?;
            Ok(Some((certificates(certificate)?, key)))
        }
        _ => Err("a certificate and its key go together; one of them is missing".to_owned()),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |e: rustls::pki_types::pem::Error| format!("{}: {e}", path.display());
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if found.is_empty() { Err(format!("{} holds no certificate", path.display())) } else { Ok(found) }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(store)
}

/// SHA-256 of the counterparty's certificate, once the handshake showed it.
#[must_use]
pub fn fingerprint(connection: &Connection) -> Option<[u8; 32]> {
    connection.peer_certificates().and_then(<[_]>::first).map(|certificate| Sha256::digest(certificate.as_ref()).into())
}

/// Reads what the socket has into `buffer`: bytes of messages, and whether the connection goes on.
///
/// # Errors
/// When the counterparty broke the protocol or its certificate is refused; what it is told of it is sent.
pub fn read(connection: &mut Connection, stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<(usize, bool)> {
    let is_open = match connection.read_tls(stream) {
        Ok(n) => n > 0,
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => true,
        Err(e) => return Err(e),
    };
    let state = connection.process_new_packets();
    flush(connection, stream)?;
    state.map_err(|e| std::io::Error::new(ErrorKind::InvalidData, e))?;
    match connection.reader().read(buffer) {
        Ok(n) => Ok((n, is_open && n > 0)),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok((0, is_open)),
        Err(e) => Err(e),
    }
}

/// Sends records that wait, as far as the socket takes them.
///
/// # Errors
/// When the connection is broken.
pub fn flush(connection: &mut Connection, stream: &mut TcpStream) -> std::io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(stream) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Takes `bytes` to be sent, whole.
///
/// # Errors
/// When the connection is broken.
pub fn write(connection: &mut Connection, stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    connection.writer().write_all(bytes)?;
    flush(connection, stream)
}
