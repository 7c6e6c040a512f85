//! What can go wrong with a request.

use super::envelope::Status;
use crate::context::ContextError;
use crate::identity::Error as IdentityError;

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It could not be sent, or no response came.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The service refused it.
    #[error("the request was refused ({}){}", status.code(), reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Refused {
        /// Why, as a number.
        status: Status,
        /// Why, as a text of the service, at most 1,024 bytes.
        reason: Option<String>,
    },
    /// The response is one to another request.
    #[error("the service answered another request")]
    Mismatched,
    /// What an issuer sent is not a credential that counts.
    #[error("the issuer's answer is no valid credential: {0}")]
    Credential(#[from] IdentityError),
}
