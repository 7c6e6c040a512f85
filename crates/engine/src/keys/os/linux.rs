//! The Secret Service over D-Bus: gnome-keyring, KDE Wallet, KeePassXC.

use std::{collections::HashMap, error::Error as StdError};

use keyring_core::{Entry, api::CredentialStoreApi};
use secret_service::{EncryptionType, Error, blocking::SecretService};
use zbus::fdo;
use zbus_secret_service_keyring_store::Store;

use crate::keys::KeychainError;

pub(super) fn entry(service: &str, user: &str) -> keyring_core::Result<Entry> {
    // The label is shown by the keychain's own window.
    let label = format!("Postern ({user})");
    Store::new()?.build(service, user, Some(&HashMap::from([("label", label.as_str())])))
}

/// Unlocks the default keyring, which may ask the user; `true` if it was locked until now.
pub(super) fn unlock() -> Result<bool, KeychainError> {
    let service = SecretService::connect(EncryptionType::Plain).map_err(known_or_failed)?;
    let keyring = match service.get_default_collection() {
        // No keyring: nothing is locked, and nothing is stored.
        Err(Error::NoResult) => return Ok(false),
        other => other.map_err(known_or_failed)?,
    };
    if !keyring.is_locked().map_err(known_or_failed)? {
        return Ok(false);
    }
    keyring.unlock().map_err(known_or_failed)?;
    Ok(true)
}

pub(super) fn classify(cause: &(dyn StdError + Send + Sync + 'static)) -> Option<KeychainError> {
    known(cause.downcast_ref::<Error>()?)
}

fn known_or_failed(error: Error) -> KeychainError {
    known(&error).unwrap_or_else(|| KeychainError::failed(error))
}

fn known(error: &Error) -> Option<KeychainError> {
    match error {
        Error::Locked | Error::Prompt | Error::PromptDisconnected => Some(KeychainError::Locked),
        Error::NoResult => Some(KeychainError::NoDefault),
        Error::Unavailable => Some(KeychainError::NoBus),
        Error::Zbus(error) => bus(error),
        Error::ZbusFdo(error) => standard(error),
        _ => None,
    }
}

fn bus(error: &zbus::Error) -> Option<KeychainError> {
    match error {
        zbus::Error::Address(_)
        | zbus::Error::Connection(..)
        | zbus::Error::InputOutput(_)
        | zbus::Error::Handshake(_) => Some(KeychainError::NoBus),
        zbus::Error::FDO(error) => standard(error),
        zbus::Error::MethodError(name, ..) => method(name.as_str()),
        _ => None,
    }
}

fn standard(error: &fdo::Error) -> Option<KeychainError> {
    match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Some(KeychainError::NoService),
        fdo::Error::AccessDenied(_) | fdo::Error::AuthFailed(_) => Some(KeychainError::Denied),
        fdo::Error::NoServer(_) | fdo::Error::Disconnected(_) => Some(KeychainError::NoBus),
        fdo::Error::ZBus(error) => bus(error),
        _ => None,
    }
}

/// Error names from the D-Bus and Secret Service specifications.
fn method(name: &str) -> Option<KeychainError> {
    match name {
        "org.freedesktop.DBus.Error.ServiceUnknown" | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
            Some(KeychainError::NoService)
        }
        // The bus found a program to start for the service, and starting it failed.
        _ if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => Some(KeychainError::NoService),
        "org.freedesktop.DBus.Error.AccessDenied" | "org.freedesktop.DBus.Error.AuthFailed" => {
            Some(KeychainError::Denied)
        }
        "org.freedesktop.Secret.Error.IsLocked" => Some(KeychainError::Locked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: Error) -> &'static str {
        let cause: Box<dyn StdError + Send + Sync> = Box::new(error);
        classify(cause.as_ref()).map_or("unknown", |error| error.code())
    }

    #[test]
    fn each_cause_has_its_own_code() {
        assert_eq!(code(Error::Locked), "keychain-locked");
        assert_eq!(code(Error::Prompt), "keychain-locked");
        assert_eq!(code(Error::PromptDisconnected), "keychain-locked");
        assert_eq!(code(Error::NoResult), "keychain-no-default");
        assert_eq!(code(Error::Unavailable), "keychain-no-bus");
        assert_eq!(code(zbus::Error::Address("x".into()).into()), "keychain-no-bus");
        assert_eq!(code(fdo::Error::ServiceUnknown("x".into()).into()), "keychain-no-service");
        assert_eq!(code(fdo::Error::AccessDenied("x".into()).into()), "keychain-denied");
        assert_eq!(code(Error::Crypto("x")), "unknown");
        assert_eq!(code(fdo::Error::NoReply("x".into()).into()), "unknown");
        assert_eq!(method("org.freedesktop.DBus.Error.Spawn.ChildExited").unwrap().code(), "keychain-no-service");
        assert_eq!(method("org.freedesktop.Secret.Error.IsLocked").unwrap().code(), "keychain-locked");
        assert!(method("org.freedesktop.Secret.Error.NoSuchObject").is_none());
    }
}
