//! The window's types are those of the engine: `ui/src/lib/types.ts` is written from them.
//!
//! `POSTERN_WRITE_TYPES=1 cargo test -p postern-engine --test engines types::` writes it anew.

use postern_engine::api::*;
use std::path::Path;
use ts_rs::{Config, TS};

fn typescript() -> String {
    let config = Config::new().with_large_int("number");
    let mut text = String::from("// Written from the engine's types by `cargo xtask types`. Do not edit.\n");
    macro_rules! declare {
        ($($type:ty),* $(,)?) => {
            $(text.push_str(&format!("\nexport {}\n", <$type as TS>::decl(&config)));)*
        };
    }
    declare!(
        UnixMillis,
        ServiceId,
        InvitationId,
        GrantId,
        InletId,
        Secret,
        Code,
        Fault,
        Snapshot,
        Status,
        Me,
        ThisComputer,
        HubView,
        LinkState,
        ServiceKind,
        ServiceView,
        Health,
        PersonView,
        GrantState,
        SentView,
        SentState,
        InletView,
        InletLink,
        PathKind,
        ReceivedView,
        ReceivedState,
        KnockView,
        ContactView,
        KeychainPlace,
        Settings,
        Traffic,
        TrafficFlow<GrantId>,
        Notice,
        AuditEntry,
        AuditEvent,
        Request,
        InviteTo,
        Terms,
        ServicePatch,
        KnockAnswer,
        Answer,
        InvitationPreview,
        ListeningPort,
        Finding,
        Severity,
        VerifyAgain,
    );
    text
}

#[test]
fn the_windows_types_are_the_engines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/lib/types.ts");
    let text = typescript();
    if std::env::var_os("POSTERN_WRITE_TYPES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "{} is out of date: run `cargo xtask types`", path.display());
}
