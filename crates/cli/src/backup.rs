//! `postern backup` and `postern restore`.

use crate::engine_client::DataDirArgs;
use crate::keychain::{self, KeychainKind};
use crate::output::Output;
use anyhow::{Context, Result};
use clap::Args;
use postern_engine::api::{Request, Secret};
use postern_engine::keys::passphrase::Ask;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct BackupArguments {
    /// A file that does not exist yet.
    file: PathBuf,
    /// Read the file's passphrase from this file descriptor instead of the terminal.
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// A file that `postern backup` wrote.
    file: PathBuf,
    /// Read the file's passphrase from this file descriptor instead of the terminal.
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
    /// Where to store the identity's key.
    #[arg(long, value_enum, default_value = "os")]
    keychain: KeychainKind,
    /// With --keychain file: read its new passphrase from this file descriptor instead of the terminal.
    #[arg(long, value_name = "FD")]
    keychain_passphrase_fd: Option<u32>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    BackedUp { file: &'a Path },
    Restored { data_dir: &'a Path },
}

pub(crate) async fn backup(arguments: BackupArguments, output: Output) -> Result<()> {
    let engine = arguments.data_dir.connect().await?;
    // The engine may have another working directory.
    let file = std::path::absolute(&arguments.file).context("Failed to find the current directory")?;
    let passphrase = keychain::passphrase(arguments.passphrase_fd, "Passphrase for the backup", Ask::Twice).await?;
    let passphrase = Secret::new(passphrase.reveal());
    engine.execute(Request::Backup { path: file.to_string_lossy().into_owned(), passphrase }).await?;
    let sentence = format!("Backed up to {}. It cannot be restored without its passphrase.", file.display());
    output.print(&Event::BackedUp { file: &file }, sentence);
    Ok(())
}

pub(crate) async fn restore(arguments: RestoreArguments, output: Output) -> Result<()> {
    let directory = arguments.data_dir.path()?;
    let passphrase = keychain::passphrase(arguments.passphrase_fd, "Passphrase of the backup", Ask::Once).await?;
    let keychain = keychain::keychain_choice(arguments.keychain, arguments.keychain_passphrase_fd, &directory).await?;
    postern_engine::backup::restore(&directory, &arguments.file, passphrase, keychain).await?;
    let sentence = format!("Restored into {}. Start it with: postern up", directory.display());
    output.print(&Event::Restored { data_dir: &directory }, sentence);
    Ok(())
}
