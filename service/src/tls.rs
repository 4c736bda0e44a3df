//! The one implementation of TLS that outgoing calls use.

/// Makes `ring` the provider of this process. reqwest is built without one, so this comes before
/// the first client. Doing it again changes nothing.
pub(crate) fn install() {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
