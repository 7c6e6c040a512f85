//! `postern up`: runs the engine in the foreground, with the control socket that the other commands connect to.
//!
//! ```text
//! arguments, portals.toml ─ Request ─► Engine ─ Notice ─► sentences
//!        other commands ─► control ─────┘
//! ```

mod declared;
mod notice_text;
mod portals_file;
mod reconcile;

use crate::engine_client::DataDirArgs;
use crate::keychain::{self, KeychainKind};
use crate::output::Output;
use crate::terminal_text::sanitized;
use anyhow::Result;
use clap::Args;
use portals_file::PortalsFile;
use postern_engine::api::{Answer, Code, EngineApi, Fault, Notice, Request};
use postern_engine::control;
use postern_engine::{Engine, EngineOptions};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(crate) struct UpArguments {
    /// Your name, as others see it. Required the first time.
    #[arg(long)]
    name: Option<String>,
    /// A hub to connect to; may be repeated. Earlier ones are kept.
    #[arg(long = "hub", value_name = "HOST:PORT")]
    hubs: Vec<String>,
    /// Let friends in the same network reach this computer directly.
    #[arg(long)]
    this_computer: bool,
    /// The address to listen on for friends in the same network, with --this-computer.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// The page that `postern invite --web` makes links to: where somebody serves join.html, as https://HOST/PATH; empty forgets it.
    #[arg(long, value_name = "PAGE")]
    web_links: Option<String>,
    /// A TOML file that declares name, hubs, services and inlets; it is reloaded when it changes.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the identity's key is stored.
    #[arg(long, value_enum, default_value = "os")]
    keychain: KeychainKind,
    /// With --keychain file: read the passphrase from this file descriptor instead of the terminal.
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
    #[command(flatten)]
    data_dir: DataDirArgs,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Up { identifier: String, name: &'a str, data_dir: &'a Path, process: u32 },
    Notice { notice: &'a Notice },
    Stopped,
}

pub(crate) async fn run(arguments: UpArguments, output: Output) -> Result<()> {
    let directory = arguments.data_dir.path()?;
    let mut file = arguments.config.clone().map(PortalsFile::open).transpose()?;
    let keychain = keychain::keychain_choice(arguments.keychain, arguments.passphrase_fd, &directory).await?;
    let options = EngineOptions { data_dir: directory, keychain, listen: arguments.listen.clone() };
    let engine = Engine::start(options).await?;
    let ended = serve(&engine, &arguments, file.as_mut(), output).await;
    engine.shutdown().await;
    ended?;
    output.print(&Event::Stopped, "Stopped.");
    Ok(())
}

/// Runs until Ctrl-C, SIGTERM or SIGHUP, or until the engine fails.
async fn serve(
    engine: &Engine,
    arguments: &UpArguments,
    mut file: Option<&mut PortalsFile>,
    output: Output,
) -> Result<()> {
    let mut notices = engine.notices();
    set_up(engine, arguments, file.as_deref()).await?;
    let control = control::serve(engine.clone(), {
        let engine = engine.clone();
        move |link| open(engine.clone(), link)
    });
    let control = control.await?;
    let me = engine.snapshot().borrow().me.clone();
    let stop = crate::shutdown_signal()?;
    tokio::pin!(stop);
    if let Some(me) = me {
        let (directory, process) = (engine.data_dir(), std::process::id());
        let identifier = me.identifier.to_string();
        let sentence =
            format!("{} ({}…) is up. Ctrl-C stops it.", sanitized(&me.name), identifier.get(..9).unwrap_or(""));
        output.print(&Event::Up { identifier, name: &me.name, data_dir: directory, process }, sentence);
    }
    if let Some(file) = &mut file {
        file.apply(engine, output).await;
    }
    let ended = loop {
        tokio::select! {
            () = &mut stop => break Ok(()),
            fault = engine.why_ended() => break Err(fault.into()),
            heard = notices.recv() => if let Ok(notice) = heard {
                output.print(&Event::Notice { notice: &notice }, notice_text::of(&notice));
            },
            () = changed(&mut file) => if let Some(file) = &mut file {
                file.reload(engine, output).await;
            },
        }
    };
    control.close().await;
    ended
}

/// Resolves when the file has changed; never when there is none.
async fn changed(file: &mut Option<&mut PortalsFile>) {
    match file {
        Some(file) => file.changed().await,
        None => std::future::pending().await,
    }
}

/// Adds a link from a second launch (single instance) to the received invitations.
fn open(engine: Engine, link: Option<postern_engine::api::Secret>) {
    let Some(link) = link else { return };
    tokio::spawn(async move {
        if let Err(fault) = engine.request(Request::Open { link }).await {
            tracing::warn!(code = ?fault.code, "an invitation link could not be opened and was dropped");
        }
    });
}

/// Creates the identity the first time; afterwards applies what arguments and file add to the stored settings.
async fn set_up(engine: &Engine, arguments: &UpArguments, file: Option<&PortalsFile>) -> Result<()> {
    let declared = file.map(PortalsFile::declared);
    let name = arguments.name.clone().or_else(|| declared.and_then(|declared| declared.name.clone()));
    let mut hubs = arguments.hubs.clone();
    hubs.extend(declared.into_iter().flat_map(|declared| declared.hubs.clone()));
    let this_computer = arguments.this_computer || declared.is_some_and(|declared| declared.this_computer);

    let snapshot = engine.snapshot().borrow().clone();
    let web_links = arguments.web_links.clone();
    let Some(me) = &snapshot.me else {
        let sentence = "Not set up yet. The first time, give your name and a hub: \
                        postern up --name NAME --hub HOST:PORT (or --this-computer).";
        let name = name.ok_or_else(|| Fault::new(Code::NotSetUp, sentence))?;
        engine.request(Request::SetUp { name, hubs, this_computer }).await?;
        if web_links.is_some() {
            engine.request(Request::SetWebLinks { base: web_links }).await?;
        }
        return Ok(());
    };
    let mut requests = Vec::new();
    if let Some(name) = name.filter(|name| *name != me.name) {
        requests.push(Request::Rename { name });
    }
    for address in hubs.into_iter().filter(|address| !snapshot.hubs.iter().any(|hub| hub.address == *address)) {
        requests.push(Request::AddHub { address });
    }
    if this_computer && !snapshot.this_computer.on {
        requests.push(Request::SetThisComputer { on: true });
    }
    if web_links.is_some() {
        requests.push(Request::SetWebLinks { base: web_links });
    }
    for request in requests {
        let _: Answer = engine.request(request).await?;
    }
    Ok(())
}
