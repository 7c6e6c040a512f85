//! What the heart cannot see of itself: the keychain, the stored data, the clock.

use crate::api::{Fault, Finding, Severity, UnixMillis};
use crate::identity::IdentityStore;
use crate::store::audit_log;
use std::path::Path;

/// Before this no clock is right: it is when this was written.
const WRITTEN: UnixMillis = UnixMillis(1_760_000_000_000);

/// Looks at this machine.
pub(crate) async fn examine(home: &IdentityStore, database: &Path, now: UnixMillis) -> Vec<Finding> {
    let mut findings = vec![keychain(home).await, data(database).await];
    if now < WRITTEN {
        findings.push(finding(
            Severity::Bad,
            "clock",
            "This machine's clock is far behind.",
            Some("Set the clock: invitations and access are judged by it."),
        ));
    }
    findings
}

async fn keychain(home: &IdentityStore) -> Finding {
    match home.load().await {
        Ok(_) => finding(Severity::Good, "keychain", "The keychain gives the key.", None),
        Err(error) => {
            let fault = Fault::from(error);
            finding(Severity::Bad, "keychain", &fault.message, None)
        }
    }
}

async fn data(database: &Path) -> Finding {
    match audit_log::read(database, None, 1).await {
        Ok((_, true)) => finding(Severity::Good, "data", "The stored data can be read, and the log is whole.", None),
        Ok((_, false)) => finding(
            Severity::Warning,
            "data",
            "The log was changed by something else than Postern.",
            Some("Trust no line of it that another record does not confirm."),
        ),
        Err(error) => finding(Severity::Bad, "data", &error.fault(database).message, None),
    }
}

fn finding(severity: Severity, subject: &str, message: &str, advice: Option<&str>) -> Finding {
    Finding { severity, subject: subject.into(), message: message.into(), advice: advice.map(str::to_owned) }
}
