//! Diagnosis of this machine: the keychain, the stored data, the clock.
//!
//! The core diagnoses what its records show; this looks at what the core cannot reach. It changes nothing.

use crate::api::{Fault, Finding, Severity, UnixMillis};
use crate::identity::IdentityStore;
use crate::store::audit_log::Reader;
use std::path::Path;

/// A clock that shows an earlier time is wrong: this code was written then (October 2025).
const EARLIEST: UnixMillis = UnixMillis(1_760_000_000_000);

/// Examines keychain, database and clock.
pub(crate) async fn examine(
    identity_store: &IdentityStore,
    database: &Path,
    log: &Reader,
    now: UnixMillis,
) -> Vec<Finding> {
    let mut findings = vec![keychain(identity_store).await];
    findings.extend(data(database, log).await);
    if now < EARLIEST {
        findings.push(finding(
            Severity::Bad,
            "clock",
            "The clock of this machine is far behind.",
            Some("Set the clock: invitations and access are judged by it."),
        ));
    }
    findings
}

async fn keychain(identity_store: &IdentityStore) -> Finding {
    match identity_store.load().await {
        Ok(_) => finding(Severity::Good, "keychain", "The keychain contains the key.", None),
        Err(error) => {
            let fault = Fault::from(error);
            finding(Severity::Bad, "keychain", &fault.message, None)
        }
    }
}

async fn data(database: &Path, log: &Reader) -> Vec<Finding> {
    let found = match log.verify().await {
        Ok(found) => found,
        Err(error) => return vec![finding(Severity::Bad, "data", &error.fault(database).message, None)],
    };
    if found.is_intact() {
        let sentence = "The stored data can be read, and the hash chain of the log is intact.";
        return vec![finding(Severity::Good, "data", sentence, None)];
    }
    let advice = Some("Do not rely on the log alone, and find out who can write to this computer's files.");
    found.problems.iter().map(|problem| finding(Severity::Bad, "log", problem, advice)).collect()
}

fn finding(severity: Severity, subject: &str, message: &str, advice: Option<&str>) -> Finding {
    Finding { severity, subject: subject.into(), message: message.into(), advice: advice.map(str::to_owned) }
}
