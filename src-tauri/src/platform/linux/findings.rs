//! What `postern doctor` says about the desktop, while the app runs.

use postern_engine::api::{Finding, Severity};

use super::{autostart, url_scheme, webkit};

/// What is found. Blocks on the disk and on `xdg-mime`.
pub(crate) fn findings() -> Vec<Finding> {
    let mut findings = Vec::new();
    if webkit::has_nvidia_driver() {
        let message = "NVIDIA's driver is in use: the window is drawn without DMABUF.";
        findings.push(finding(Severity::Good, message, None));
    }
    if let Some(program) = autostart::missing_program() {
        let message = format!("The start at login starts {}, which is not there.", program.display());
        let advice = "Switch Start at login off and on again in the settings.";
        findings.push(finding(Severity::Bad, &message, Some(advice)));
    }
    if let Some(handler) = url_scheme::other_handler() {
        let message = format!("postern:// links are opened by {handler}.");
        let advice = format!("To open them here: xdg-mime default {}.desktop x-scheme-handler/postern", crate::APP_ID);
        findings.push(finding(Severity::Warning, &message, Some(&advice)));
    }
    findings
}

fn finding(severity: Severity, message: &str, advice: Option<&str>) -> Finding {
    Finding { severity, subject: "desktop".into(), message: message.into(), advice: advice.map(str::to_owned) }
}
