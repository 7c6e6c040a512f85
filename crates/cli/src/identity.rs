//! `postern identity`.

use crate::keychain::{KeychainArguments, KeychainKind};
use crate::output::Output;
use anyhow::Result;
use clap::{Args, Subcommand};
use serde::Serialize;

#[derive(Args)]
pub(crate) struct IdentityArguments {
    #[command(subcommand)]
    command: IdentityCommand,
}

#[derive(Subcommand)]
enum IdentityCommand {
    /// Show your identifier. The first time, the identity is created.
    Show(#[command(flatten)] KeychainArguments),
    /// Print the identity's public key history, which proves the identifier. It contains no secret.
    Export(#[command(flatten)] KeychainArguments),
    /// Rotate the identity's key. The identifier stays; peers see the change when they next connect.
    Rotate(#[command(flatten)] KeychainArguments),
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event {
    Identity { identifier: String, key: String },
    Export { identifier: String, history: String },
    Rotated { identifier: String, key: String },
}

pub(crate) async fn run(arguments: IdentityArguments, output: Output) -> Result<()> {
    match arguments.command {
        IdentityCommand::Show(keychain) => {
            let opened = keychain.open(KeychainKind::Os).await?;
            let identifier = opened.identity.identifier().to_string();
            let key = opened.identity.key_id().to_string();
            output.print(&Event::Identity { identifier: identifier.clone(), key }, identifier);
        }
        IdentityCommand::Export(keychain) => {
            let opened = keychain.open(KeychainKind::Os).await?;
            let history = hex::encode(opened.identity.export());
            let identifier = opened.identity.identifier().to_string();
            output.print(&Event::Export { identifier, history: history.clone() }, history);
        }
        IdentityCommand::Rotate(keychain) => {
            keychain.require_no_running_engine().await?;
            let mut opened = keychain.open(KeychainKind::Os).await?;
            opened.rotate().await?;
            let identifier = opened.identity.identifier().to_string();
            let key = opened.identity.key_id().to_string();
            let sentence = format!("{identifier} has a new key. Peers see the change when they next connect.");
            output.print(&Event::Rotated { identifier, key }, sentence);
        }
    }
    Ok(())
}
